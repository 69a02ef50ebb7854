from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.layers.text import RowAttention, RowBlock, num_positions, require_text


def test_positions():
    assert [num_positions(13, halvings) for halvings in range(4)] == [13, 7, 4, 2]
    with pytest.raises(OptionError, match=r"^downsamplings=4: leaves less than a position of 13 symbols"):
        num_positions(13, 4)
    with pytest.raises(OptionError, match=r"^downsamplings=-1"):
        num_positions(13, -1)


def test_samples_that_are_no_rows():
    assert require_text([5], 2) == 5
    with pytest.raises(OptionError, match=r"^sample_shape=\[1, 8, 8\]: .*data=text_files"):
        require_text([1, 8, 8], 256)
    with pytest.raises(OptionError, match=r"^vocabulary=1"):
        require_text([5], 1)


def test_a_block_sees_its_neighbours_alone():
    torch.manual_seed(1)
    block, x = RowBlock(4), torch.randn(1, 4, 9)
    other = x.clone()
    other[:, :, 4] += torch.tensor([1.0, -1.0, 2.0, 0.5])
    changed = (block(x) - block(other)).abs().amax((0, 1)) > 1e-6
    assert changed.tolist() == [False] * 3 + [True] * 3 + [False] * 3


def test_attention_sees_all_positions_and_their_order():
    torch.manual_seed(1)
    x = torch.randn(1, 8, 6)
    layer = RowAttention(6, 8, 1, 2)
    other = x.clone()
    other[:, :, 5] += torch.randn(8)
    assert ((layer(x) - layer(other)).abs().amax((0, 1)) > 1e-6).all()
    assert not torch.allclose(layer(x.flip(2)).flip(2), layer(x), atol=1e-4)
    assert RowAttention(6, 8, 0, 2)(x) is x
    with pytest.raises(OptionError, match=r"^depth=-1"):
        RowAttention(6, 8, -1, 2)

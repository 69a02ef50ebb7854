from __future__ import annotations

import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.layers.r3gan import Block, stages_of


def test_a_block_begins_as_the_identity_and_its_convolutions_by_the_depth() -> None:
    torch.manual_seed(0)
    block, x = Block(64, depth=16, expansion=2, group_size=16), torch.randn(2, 64, 4, 4)
    assert torch.equal(block(x), x)
    gain = math.sqrt(2 / 1.04) / 2  # 16^(-1/4)
    assert block.wide.weight.std().item() == pytest.approx(gain / 8, rel=0.03)
    assert block.grouped.weight.std().item() == pytest.approx(gain / 12, rel=0.03)
    assert block.grouped.groups == 8


@pytest.mark.parametrize(
    ("widths", "size", "option"), [(None, 48, "image_size"), ([8, 8], 31, "image_size"), ([], 32, "widths")]
)
def test_sizes_are_checked(widths: list[int] | None, size: int, option: str) -> None:
    with pytest.raises(OptionError) as error:
        stages_of(widths, size, "generator")
    assert error.value.option == option
    assert stages_of([8, 4, 8], 28, "generator") == ((8, 4, 8), 7)

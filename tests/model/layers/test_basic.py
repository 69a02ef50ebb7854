from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ganvas.errors import OptionError
from ganvas.model.layers.basic import (
    ResidualBlock,
    require_channels,
    require_classes,
    require_positive,
    require_power_of_two_size,
    require_shape,
    residual_stack,
)


def test_residual_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(channels=3, residual_channels=2)
    x = torch.randn(2, 3, 4, 5)
    before = x.clone()
    w1, b1, w2, b2 = block.parameters()
    expected = x + F.conv2d(F.relu(F.conv2d(F.relu(x), w1, b1, padding=1)), w2, b2)
    torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, before)


def test_residual_stack_ends_in_a_relu() -> None:
    torch.manual_seed(0)
    stack = residual_stack(3, 2, blocks=2)
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(stack(x), F.relu(stack[1](stack[0](x))))
    assert torch.equal(residual_stack(3, 2, blocks=0)(x.clone()), F.relu(x))


def test_checks_give_back_what_they_checked() -> None:
    assert require_channels(3) == 3
    assert require_power_of_two_size(32) == 32
    for call in (
        lambda: require_channels(0),
        lambda: require_power_of_two_size(33),
        lambda: require_shape([2, -1]),
    ):
        with pytest.raises(OptionError):
            call()


@pytest.mark.parametrize("size", [2.5, 4.0, True, 0, -1])
def test_sizes_are_whole_numbers(size: int) -> None:
    for check in (partial(require_positive, "width"), require_channels, require_classes):
        with pytest.raises(OptionError, match=f"={size}: must be at least"):
            check(size)
    with pytest.raises(OptionError, match="sample_shape="):
        require_shape([1, size, 8])


def test_sizes_of_numpy_are_whole_numbers_too() -> None:
    require_positive("width", np.int64(3))
    require_classes(np.int32(2))
    require_shape([np.int64(1), 8, 8])

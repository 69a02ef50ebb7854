"""Linear maps of images, to be differentiated as often as needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

Map = Callable[[Tensor], Tensor]


def apply_linear(x: Tensor, there: Map, back: Map) -> Tensor:
    """there(x), whose gradient is back, whose gradient is there.

    Neither is recorded, so that what they compute on the way is not kept. Autocast is off in both, so in the
    backward pass too.

    Args:
        x: of any shape, at least float32.
        there: a linear map.
        back: its transpose.
    """
    result: Tensor = _Linear.apply(x, there, back)  # type: ignore[no-untyped-call]
    return result


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Map, back: Map) -> Tensor:
        ctx.maps = there, back
        with torch.autocast(x.device.type, enabled=False):
            return there(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        there, back = ctx.maps
        return apply_linear(gradients[0], back, there), None, None

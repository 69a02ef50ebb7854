"""What the residual networks of SNGAN share (Miyato 2018, arXiv:1802.05957, appendix B)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganvas.errors import require
from ganvas.model.layers.spectral_norm import spectral_norm


def conv3x3(inputs: int, outputs: int, gain: float = math.sqrt(2)) -> nn.Conv2d:
    """A convolution that keeps the side; weights from Glorot's uniform law times ``gain``, biases zero."""
    return _glorot(nn.Conv2d(inputs, outputs, 3, padding=1), gain)


def conv1x1(inputs: int, outputs: int) -> nn.Conv2d:
    """Likewise, of single places; for shortcuts."""
    return _glorot(nn.Conv2d(inputs, outputs, 1), 1.0)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Likewise, of vectors."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _glorot(convolution: nn.Conv2d, gain: float) -> nn.Conv2d:
    nn.init.xavier_uniform_(convolution.weight, gain)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


def wrapper(*, spectral: bool) -> Callable[[nn.Module], nn.Module]:
    """What is done to every layer with weights: spectral norm (Miyato 2018), or nothing."""
    return spectral_norm if spectral else lambda layer: layer


def halved(x: Tensor) -> Tensor:
    """[B, C, H, W] to [B, C, H / 2, W / 2], means of 2x2."""
    return avg_pool2d(x, 2)


def check_widths(widths: Sequence[int]) -> None:
    """Raises OptionError unless there is a width, and each is at least 1."""
    fits = len(widths) > 0 and all(width >= 1 for width in widths)
    require(fits, "widths", list(widths), "must name at least one stage, each of at least 1 channel")


def check_attention(attention_at: Sequence[int], sides: Sequence[int]) -> None:
    """Raises OptionError unless a map of each of these sides is there."""
    for side in attention_at:
        there = ", ".join(map(str, sorted(set(sides))))
        require(
            side in sides, "attention_at", list(attention_at), f"has no map of side {side}; there are {there}"
        )

"""What the residual networks of SNGAN share (Miyato 2018, arXiv:1802.05957, appendix B), and of BigGAN."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganvas.errors import require
from ganvas.model.layers.attention import SelfAttention2d
from ganvas.model.layers.spectral_norm import spectral_norm

Wrap = Callable[[nn.Module], nn.Module]  # what is done to every layer with weights


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


def wrapper(*, spectral: bool, eps: float = 1e-12) -> Wrap:
    """What is done to every layer with weights: spectral norm (Miyato 2018), or nothing.

    Args:
        eps: smallest length by which its iteration divides a vector.
    """
    return partial(spectral_norm, eps=eps) if spectral else lambda layer: layer


class UpBlock(nn.Module):
    """Norm, ReLU, doubling, 3x3, norm, ReLU, 3x3; beside it doubling and 1x1; attention behind the sum.

    Args:
        inputs: channels.
        outputs: channels.
        norm: channels to a normalization, called with a map and ``condition``.
        wrap: what is done to each convolution.
        attention: what stands behind the block; None: nothing.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        norm: Callable[[int], nn.Module],
        wrap: Wrap,
        attention: nn.Module | None,
    ) -> None:
        super().__init__()
        self.norm1 = norm(inputs)
        self.conv1 = wrap(conv3x3(inputs, outputs))
        self.norm2 = norm(outputs)
        self.conv2 = wrap(conv3x3(outputs, outputs))
        self.shortcut = wrap(conv1x1(inputs, outputs))
        self.attention = attention

    def forward(self, x: Tensor, condition: Any) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, 2 H, 2 W]."""
        branch = self.conv1(_doubled(relu(self.norm1(x, condition))))
        branch = self.conv2(relu(self.norm2(branch, condition)))
        # A convolution of single places: the same before the doubling, at a quarter of the cost.
        x = branch + _doubled(self.shortcut(x))
        return x if self.attention is None else self.attention(x)


class DownBlock(nn.Module):
    """ReLU (not of the image), 3x3, ReLU, 3x3, halving; beside it 1x1 and halving.

    Args:
        inputs: channels.
        hidden: channels between the two convolutions.
        outputs: channels.
        is_first: whether it takes the image.
        halves: whether it halves the side.
        wrap: what is done to each convolution.
    """

    def __init__(
        self, inputs: int, hidden: int, outputs: int, *, is_first: bool, halves: bool, wrap: Wrap
    ) -> None:
        super().__init__()
        self.is_first, self.halves = is_first, halves
        self.conv1 = wrap(conv3x3(inputs, hidden))
        self.conv2 = wrap(conv3x3(hidden, outputs))
        self.shortcut = wrap(conv1x1(inputs, outputs)) if halves or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W], or half the sides."""
        branch = self.conv2(relu(self.conv1(x if self.is_first else relu(x))))
        if not self.halves:
            return branch + (x if self.shortcut is None else self.shortcut(x))
        # A convolution of single places and a mean commute: halved first, it costs a quarter.
        assert self.shortcut is not None
        return halved(branch) + self.shortcut(halved(x))


def up_blocks(
    widths: Sequence[int],
    bottom: int,
    attention_at: Sequence[int] | None,
    *,
    norms: Sequence[Callable[[int], nn.Module]],
    wrap: Wrap,
) -> nn.ModuleList:
    """Blocks from a map of side ``bottom`` and widths[0] channels to widths[-1], doubling each time.

    Args:
        attention_at: sides behind which self-attention stands; None: half the last side, as in BigGAN.
        norms: of each block, see :class:`UpBlock`.
    """
    sides = [bottom << stage for stage in range(1, len(widths))]
    attention_at = _attention_at(attention_at, sides, bottom << len(widths) - 2 if len(widths) > 1 else 0)
    blocks = nn.ModuleList()
    for (inputs, outputs), side, norm in zip(pairwise(widths), sides, norms, strict=True):
        attention = SelfAttention2d(outputs, wrap) if side in attention_at else None
        blocks.append(UpBlock(inputs, outputs, norm=norm, wrap=wrap, attention=attention))
    return blocks


def down_blocks(
    channels: int,
    size: int,
    widths: Sequence[int],
    halvings: int,
    attention_at: Sequence[int] | None,
    *,
    hidden: Callable[[int, int], int],
    wrap: Wrap,
) -> nn.Sequential:
    """Blocks from images of side ``size`` to widths[-1] channels; the first ``halvings`` halve the side.

    Args:
        attention_at: sides behind whose first block self-attention stands; None: half the image's.
        hidden: a later block's inputs and outputs to the channels inside it; the first has as many as
            outputs.
    """
    sides = [size >> min(stage, halvings) for stage in range(1, len(widths) + 1)]
    attention_at = _attention_at(attention_at, sides, size // 2)
    blocks: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise((channels, *widths))):
        inner = outputs if number == 0 else hidden(inputs, outputs)
        is_first, halves = number == 0, number < halvings
        blocks.append(DownBlock(inputs, inner, outputs, is_first=is_first, halves=halves, wrap=wrap))
        if sides[number] in attention_at and sides[number] not in sides[:number]:
            blocks.append(SelfAttention2d(outputs, wrap))
    return nn.Sequential(*blocks)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2)  # each value four times


def halved(x: Tensor) -> Tensor:
    """[B, C, H, W] to [B, C, H / 2, W / 2], means of 2x2."""
    return avg_pool2d(x, 2)


def widths_of(
    known: Mapping[int, tuple[int, ...]], widths: Sequence[int] | None, image_size: int | None
) -> tuple[tuple[int, ...], int]:
    """A generator's channels of the first map and of each after a doubling, and the first map's side.

    Raises:
        OptionError: no widths are known for the size, or the doublings do not reach it.
    """
    size = _size("generator", known, widths, image_size)
    found = tuple(known[size] if widths is None else widths)
    _check_widths(found)
    doublings = len(found) - 1
    rule = f"must be a multiple of {2**doublings}, by {doublings} doublings; model.generator.widths=[...]"
    require(size % 2**doublings == 0, "image_size", image_size, rule)
    return found, size >> doublings


def halvings_of(
    known: Mapping[int, tuple[tuple[int, ...], int]],
    widths: Sequence[int] | None,
    halvings: int | None,
    image_size: int | None,
) -> tuple[tuple[int, ...], int]:
    """A discriminator's channels behind each block, and how many of its blocks halve the side.

    Args:
        halvings: None: the known ones, or with ``widths`` as many as leave a side of at least 4.

    Raises:
        OptionError: no widths are known for the size, or the halvings do not divide it.
    """
    size = _size("discriminator", known, widths, image_size)
    if widths is None:
        found, usual = known[size]
    else:
        found = tuple(widths)
        _check_widths(found)
        usual = next(n for n in range(len(found), -1, -1) if n == 0 or (size % 2**n == 0 and size >> n >= 4))
    halvings = usual if halvings is None else halvings
    fits = 0 <= halvings <= len(found)
    require(fits, "halvings", halvings, f"must be from 0 to {len(found)}, the number of blocks")
    rule = f"must be a multiple of {2**halvings} for {halvings} halvings; model.discriminator.halvings=N"
    require(size % 2**halvings == 0, "image_size", image_size, rule)
    return found, halvings


def _size(part: str, known: Mapping[int, Any], widths: Sequence[int] | None, image_size: int | None) -> int:
    size = image_size or 0
    names = ", ".join(map(str, known))
    rule = f"has widths of its own for {names} pixels; model.{part}.widths=[...] for another"
    require(size > 0 and (widths is not None or size in known), "image_size", image_size, rule)
    return size


def _check_widths(widths: Sequence[int]) -> None:
    fits = len(widths) > 0 and all(width >= 1 for width in widths)
    require(fits, "widths", list(widths), "must name at least one stage, each of at least 1 channel")


def _attention_at(chosen: Sequence[int] | None, sides: Sequence[int], usual: int) -> Sequence[int]:
    """The chosen sides; ``usual`` where there is no choice, and such a map.

    Raises:
        OptionError: a chosen side that no map has.
    """
    if chosen is None:
        return [usual] if usual in sides else []
    there = ", ".join(map(str, sorted(set(sides))))
    for side in chosen:
        rule = f"has no map of side {side}; there are {there}"
        require(side in sides, "attention_at", list(chosen), rule)
    return chosen

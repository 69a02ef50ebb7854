"""What both networks of StyleGAN2 are made of (Karras 2020, arXiv:1912.04958; 2018, arXiv:1710.10196)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear, one_hot

from ganvas.errors import require, require_number, require_whole
from ganvas.functional.precision import at_least_float32
from ganvas.model.layers.basic import require_labels
from ganvas.model.layers.resampling import Resampling

_EPS = 1e-8


def activate(x: Tensor) -> Tensor:
    """LeakyReLU(0.2) times sqrt 2."""
    return leaky_relu(x, 0.2) * math.sqrt(2)


def normalized(x: Tensor) -> Tensor:
    """Rows [B, D] divided by their root mean square, which is 1 afterwards."""
    wide = at_least_float32(x)
    return (wide * (wide.square().mean(1, keepdim=True) + _EPS).rsqrt()).to(x.dtype)


class EqualizedLinear(nn.Linear):
    """W x r / sqrt(inputs) + r b, with W from N(0, 1) / r: all layers learn alike (Karras 2018, section 4.1).

    Args:
        inputs: length of a vector.
        outputs: likewise.
        bias: r b at the start.
        rate: r, by which the layer learns slower than the others.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__(inputs, outputs)
        self.rate, self.gain = rate, rate / math.sqrt(inputs)
        with torch.no_grad():
            self.weight.normal_().div_(rate)
            self.bias.fill_(bias / rate)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] to [B, outputs]."""
        return linear(x, self.weight * self.gain, self.bias * self.rate)


class EqualizedConv2d(nn.Conv2d):
    """A convolution whose weight, from N(0, 1), is used as W / sqrt(fan-in); the side stays, or is halved.

    Args:
        inputs: channels.
        outputs: likewise.
        kernel: 1 or 3.
        halves: halves the side, blurring first by [1, 3, 3, 1] (Zhang 2019, arXiv:1904.11486).
        bias: whether there is one; it starts at 0.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, halves: bool = False, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, bias=bias)
        self.gain, self.halves = 1 / math.sqrt(inputs * kernel**2), halves
        self.resampling = Resampling() if halves else None
        with torch.no_grad():
            self.weight.normal_()
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W], or half the sides."""
        weight, kernel = self.weight * self.gain, self.kernel_size[0]
        if self.resampling is None:
            return conv2d(x, weight, self.bias, padding=kernel // 2)
        if kernel == 1:  # a convolution of single places and a blur commute: halved first, it costs a quarter
            return conv2d(self.resampling.halved(x), weight, self.bias)
        return conv2d(self.resampling.blurred(x, 2), weight, self.bias, stride=2)


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels a style scales, and which divides out what that does to variance.

    Equations 1 and 3 of the paper, in their unfused form: the input is scaled, not the weight, and then the
    output. No weight is made for each sample, so that a batch of any size is one convolution.

    Args:
        inputs: channels.
        outputs: likewise.
        kernel: 1 or 3.
        w_dim: length of a style vector.
        doubles: doubles the side, blurring by [1, 3, 3, 1].
        demodulates: divides each output channel by the norm of the weights that made it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        w_dim: int,
        *,
        doubles: bool = False,
        demodulates: bool = True,
    ) -> None:
        super().__init__()
        self.style = EqualizedLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.gain, self.demodulates = 1 / math.sqrt(inputs * kernel**2), demodulates
        self.resampling = Resampling() if doubles else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[B, inputs, H, W] and styles [B, w_dim] to [B, outputs, H, W], or twice the sides."""
        return self.convolved(x, self.style(w))

    def convolved(self, x: Tensor, scale: Tensor) -> Tensor:
        """Likewise with the scales [B, inputs] of the input channels themselves."""
        weight = self.weight * self.gain
        x = x * scale[:, :, None, None]
        if self.resampling is None:
            x = conv2d(x, weight, padding=weight.shape[-1] // 2)
        else:  # a side of 2 H + 1, and then of 2 H
            x = 4 * self.resampling.blurred(conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1)
        if self.demodulates:
            x = x * self._demodulation(weight, scale)[:, :, None, None].to(x.dtype)
        return x

    @staticmethod
    def _demodulation(weight: Tensor, scale: Tensor) -> Tensor:
        """1 / sqrt(sum over i, k of (scale_i w_oik)^2) for each output channel, [B, outputs]."""
        with torch.autocast(weight.device.type, enabled=False):  # sums of squares, in float32
            squares = at_least_float32(weight).square().sum((2, 3))  # [outputs, inputs]
            return (linear(at_least_float32(scale).square(), squares) + _EPS).rsqrt()


class Mapping(nn.Module):
    """Fully connected layers from a latent, or a class, or both, to a style.

    Args:
        latent_dim: length of a latent; 0 where there is none.
        num_classes: K; None where there are none.
        w_dim: length of a style.
        layers: how many.
        rate: by which they learn slower than the other layers.
    """

    def __init__(
        self, latent_dim: int, num_classes: int | None, w_dim: int, layers: int, rate: float = 0.01
    ) -> None:
        super().__init__()
        require_number("rate", rate, "0.01 in the paper", positive=True)
        self.num_classes = num_classes
        self.classes = None if num_classes is None else EqualizedLinear(num_classes, w_dim)
        widths = [latent_dim + (0 if num_classes is None else w_dim)] + [w_dim] * layers
        self.layers = nn.ModuleList(
            EqualizedLinear(inputs, outputs, rate=rate) for inputs, outputs in pairwise(widths)
        )

    def forward(self, z: Tensor | None, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to styles [B, w_dim]."""
        weight = next(self.layers.parameters())
        with torch.autocast(weight.device.type, enabled=False):  # a small network on which all others hang
            rows = [] if z is None else [normalized(z)]
            if self.classes is not None and self.num_classes is not None:
                chosen = one_hot(require_labels(label), self.num_classes).to(weight.dtype)
                rows.append(normalized(self.classes(chosen)))
            w = torch.cat(rows, dim=1)
            for layer in self.layers:
                w = activate(layer(w))
        return w


def sides_of(image_size: int | None) -> list[int]:
    """The sides of the maps from the smallest on, each twice the one before: the last is the image's.

    Raises:
        OptionError: doublings from a side of 4, 5, 6 or 7 do not reach the size.
    """
    size = side = image_size or 0
    while side % 2 == 0 and side >= 8:
        side //= 2
    rule = "must be 4, 5, 6 or 7 times a power of two, and at least 8; e.g. data.image_size=32, 48, 28 or 64"
    require(4 <= side <= 7 and size > side, "image_size", image_size, rule)
    sides = [side]
    while sides[-1] < size:
        sides.append(2 * sides[-1])
    return sides


def channels_at(sides: list[int], channel_base: int, channel_max: int) -> list[int]:
    """Channels of the map of each side: ``channel_base`` / side, at most ``channel_max``.

    Raises:
        OptionError: a map would have none.
    """
    require_whole("channel_max", channel_max, 1, "512 in the paper")
    rule = f"must be at least {sides[-1]}, the image's side, so that every map has a channel; 16384 is usual"
    require(channel_base >= sides[-1], "channel_base", channel_base, rule)
    return [min(channel_base // side, channel_max) for side in sides]

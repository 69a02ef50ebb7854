"""Strided convolutions of discriminators (Radford 2015, arXiv:1511.06434; Isola 2017, arXiv:1611.07004)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ganvas.errors import require
from ganvas.model.layers.basic import initialize_dcgan
from ganvas.model.layers.spectral_norm import spectral_norm

NORMS = ("batch", "spectral", "none")


def require_norm(norm: str) -> None:
    """Raises OptionError unless it is one of :data:`NORMS`."""
    require(norm in NORMS, "norm", norm, f"must be one of {', '.join(NORMS)}; batch is the paper's")


def strided(channels: int, widths: Sequence[int], strides: Sequence[int], norm: str) -> list[nn.Module]:
    """4x4 convolutions, each with LeakyReLU(0.2), initialized as the DCGAN's.

    Args:
        channels: of the input.
        widths: channels behind each convolution.
        strides: of each; 2 halves the side, 1 makes it one less.
        norm: ``batch`` stands behind all but the first, ``spectral`` divides their weights, ``none``.
    """
    layers: list[nn.Module] = []
    for inputs, outputs, stride in zip([channels, *widths], widths, strides, strict=False):
        normalized = norm == "batch" and bool(layers)
        layers.append(nn.Conv2d(inputs, outputs, 4, stride, 1, bias=not normalized))
        if normalized:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    initialize_dcgan(nn.Sequential(*layers))
    if norm == "spectral":  # after the initialization: the iteration starts from the final weights
        layers = [spectral_norm(layer) if isinstance(layer, nn.Conv2d) else layer for layer in layers]
    return layers

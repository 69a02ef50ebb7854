"""Where the bits of a file go, and by what a file knows its model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.codec.container import MODEL_BYTES, Container


@dataclass(frozen=True)
class Accounting:
    """Where the bits of a file go, all of it counted.

    Attributes:
        images: how many pictures.
        header: bits of all that is neither codes nor residual.
        codes: bits of the streams of labels and codes.
        residual: bits of the residuals' streams.
        dimensions: numbers in all pictures together, height times width times channels.
    """

    images: int
    header: int
    codes: int
    residual: int
    dimensions: int

    @property
    def bits_per_image(self) -> float:
        """Bits of the whole file an image."""
        return (self.header + self.codes + self.residual) / self.images

    @property
    def bits_per_dim(self) -> float:
        """Bits of the whole file for each number of the images."""
        return (self.header + self.codes + self.residual) / self.dimensions


def account(container: Container) -> Accounting:
    """Where the bits of a file go."""
    codes = sum(len(block.payload) for block in container.blocks)
    residual = sum(len(one.payload) for one in container.residuals)
    pixels = sum(height * width for height, width in container.sizes)
    dimensions = pixels * container.channels * (container.pictures if len(container.sizes) == 1 else 1)
    whole = len(container.to_bytes())
    return Accounting(container.pictures, 8 * (whole - codes - residual), 8 * codes, 8 * residual, dimensions)


def model_hash(*states: Mapping[str, Tensor]) -> bytes:
    """16 bytes of the sha256 of networks' weights and buffers: names, types, shapes and values."""
    digest = hashlib.sha256()
    for state in states:
        for name, value in sorted(state.items()):
            own = value.detach().cpu().contiguous()
            digest.update(f"{name} {own.dtype} {tuple(own.shape)}\n".encode())
            digest.update(own.flatten().view(torch.uint8).numpy().tobytes())
        digest.update(b"\n")
    return digest.digest()[:MODEL_BYTES]

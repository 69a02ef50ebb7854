"""What a recipe asks of a quantizer, and what it gets back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class QuantizerOutput(NamedTuple):
    """One quantization.

    Attributes:
        quantized: [B, D, *positions]; its gradient reaches the encoder (straight-through or otherwise).
        indices: int64 [B, *positions] in [0, num_codes).
        loss: scalar to add to the reconstruction loss; 0 where the quantizer needs none.
        metrics: detached scalars to log, e.g. ``codebook_loss`` and ``commitment_loss`` before weighting.
    """

    quantized: Tensor
    indices: Tensor
    loss: Tensor
    metrics: dict[str, Tensor]


class Quantizer(nn.Module, ABC):
    """A map from vectors to a finite set of codes.

    Attributes:
        num_codes: size of the set.
        embedding_dim: D, the length of one vector.
        updates_itself: a forward pass in training sets parameters and buffers, the same ones on all ranks.
    """

    updates_itself = True
    num_codes: int
    embedding_dim: int

    @property
    def bits_per_vector(self) -> float:
        """log2 of the number of codes."""
        return math.log2(self.num_codes)

    @abstractmethod
    def forward(self, z: Tensor) -> QuantizerOutput:
        """Latents [B, D, *positions] to their codes; in train mode it may update its own statistics."""

    @abstractmethod
    def encode(self, z: Tensor) -> Tensor:
        """Latents [B, D, *positions] to indices int64 [B, *positions]."""

    @abstractmethod
    def decode(self, indices: Tensor) -> Tensor:
        """Indices int64 [B, *positions] to code vectors [B, D, *positions]."""

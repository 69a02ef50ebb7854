"""What a recipe asks of a quantizer, and what it gets back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from ganvas.functional.contracts import put_contracts
from ganvas.model.quantizer.checked import of_finite_latents, of_indices, of_latents


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

    What a subclass writes as ``forward``, ``encode`` and ``decode`` gets float32 (float64 where it was given
    that) of the right shape, and indices int64 in range: the checks that the docstrings below promise stand
    around them here, for all quantizers.

    Attributes:
        num_codes: size of the set.
        embedding_dim: D, the length of one vector.
        updates_itself: a forward pass in training sets parameters and buffers, the same ones on all ranks.
        losses: which of its metrics are losses, by name; None: not said.
        never_negative: its buffers that are counts or sums of such; a checkpoint with others is refused.
    """

    updates_itself = True
    losses: ClassVar[tuple[str, ...] | None] = None
    never_negative: ClassVar[tuple[str, ...]] = ()
    num_codes: int
    embedding_dim: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, forward=of_latents, encode=of_finite_latents, decode=of_indices)

    @property
    def bits_per_vector(self) -> float:
        """log2 of the number of codes."""
        return math.log2(self.num_codes)

    @abstractmethod
    def forward(self, z: Tensor) -> QuantizerOutput:
        """Latents [B, D, *positions] to their codes; in train mode it may update its own statistics.

        ``quantized`` has the type of z. Where z is not finite, ``quantized`` is NaN, and so are the loss and
        the metrics, so that a step can be left out; the index is that of a vector with zeros there.

        Raises:
            ValueError: z has another number of channels, no channels, or is not float.
        """

    @abstractmethod
    def encode(self, z: Tensor) -> Tensor:
        """Latents [B, D, *positions] to indices int64 [B, *positions].

        Raises:
            ValueError: as ``forward``; also where z is not finite.
        """

    @abstractmethod
    def decode(self, indices: Tensor) -> Tensor:
        """Indices int64 [B, *positions] to code vectors [B, D, *positions].

        Raises:
            ValueError: an index outside [0, num_codes), or indices that are not whole numbers.
        """

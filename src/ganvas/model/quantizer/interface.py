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
        indices: int64 [B, levels, *positions], those of level i in [0, codebook_sizes[i]); the dimension of
            levels is there also where it is one. -1 where a mask leaves a vector out.
        loss: scalar to add to the reconstruction loss; 0 where the quantizer needs none.
        metrics: detached scalars to log, e.g. ``codebook_loss`` and ``commitment_loss`` before weighting.
    """

    quantized: Tensor
    indices: Tensor
    loss: Tensor
    metrics: dict[str, Tensor]


class Quantizer(nn.Module, ABC):
    """A map from vectors to a finite set of codes, one of each level.

    What a subclass writes as ``forward``, ``encode`` and ``decode`` gets float32 (float64 where it was given
    that) of the right shape, and indices int64 in range: the checks that the docstrings below promise stand
    around them here, for all quantizers.

    Attributes:
        codebook_sizes: number of codes of each level; one level unless a vector is a sum of codes or a row
            of them.
        embedding_dim: D, the length of one vector.
        levels_may_be_absent: ``decode`` itself reads -1 at later levels, which then add nothing.
        updates_itself: a forward pass in training sets parameters and buffers, the same ones on all ranks.
        draws_codes: in training the codes, or what is passed on in their place, have noise from a state of
            its own, so that they are not those of ``encode``.
        losses: which of its metrics are losses, by name; None: not said.
        never_negative: its buffers that are counts or sums of such; a checkpoint with others is refused.
        takes_nearest: of all codes a vector takes the one at the smallest Euclidean distance, of one level.
        compares_vectors: its loss is no mean over vectors, as the entropy of a batch is none.
        place: of one that another quantizer holds, the path of its options from there, e.g. ``inner.``.

    ``requires_grad_(False)`` on the quantizer itself freezes also what its forward passes would set. All of
    this is asked of one by ``ganvas check`` and :mod:`ganvas.model.quantizer.conformance.suite`.
    """

    updates_itself = True
    levels_may_be_absent: bool = False
    draws_codes = False
    losses: tuple[str, ...] | None = None
    never_negative: ClassVar[tuple[str, ...]] = ()
    takes_nearest = False
    compares_vectors = False
    place: str = ""
    codebook_sizes: tuple[int, ...]
    embedding_dim: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, forward=of_latents, encode=of_finite_latents, decode=of_indices)

    @property
    def bits_per_vector(self) -> float:
        """Sum of log2 of the levels' numbers of codes."""
        return sum(math.log2(size) for size in self.codebook_sizes)

    @property
    def num_cuts(self) -> int:
        """How many first levels ``decode`` can be cut short to: 1, ..., num_cuts, the last is all."""
        return len(self.codebook_sizes)

    def cut(self, indices: Tensor, levels: int) -> Tensor:
        """The part of indices [B, levels, *positions] from which ``decode`` makes its first ``levels``."""
        return indices[:, :levels]

    def require_vectors(self, number: int) -> None:
        """Raises OptionError where codes cannot start at a first training batch of so many vectors."""
        for one in self.modules():
            if one is not self and isinstance(one, Quantizer):
                one.require_vectors(number)

    @abstractmethod
    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        """Latents [B, D, *positions] to their codes; in train mode it may update its own statistics.

        ``quantized`` has the type of z. Where z is not finite, ``quantized`` is NaN, and so are the loss and
        the metrics, so that a step can be left out; the index is that of a vector with zeros there.

        Args:
            mask: bool [B, *positions]; a vector where it is false has no code (index -1, ``quantized`` 0),
                and takes part in no loss and no statistics, whatever it holds.

        Raises:
            ValueError: z has another number of channels, no channels, or is not float; a mask of another
                shape or type, or any, where codes stand for more than a vector each.
        """

    @abstractmethod
    def encode(self, z: Tensor) -> Tensor:
        """Latents [B, D, *positions] to indices int64 [B, levels, *positions].

        Raises:
            ValueError: as ``forward``; also where z is not finite.
        """

    @abstractmethod
    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:
        """Indices int64 [B, levels, *positions] to code vectors [B, D, *positions].

        Indices of the first levels alone make what these levels say. An index of -1 at the first level
        stands for no code: a vector of zeros.

        Args:
            levels: how many of the first levels to take; all that are given without.

        Raises:
            ValueError: an index outside of its level's codes, indices that are not whole numbers, or more
                levels than there are; ``levels`` outside [1, num_cuts].
        """

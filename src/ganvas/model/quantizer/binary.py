"""What quantizers share whose every dimension is one bit, and whose codes no table holds.

Symbols: N vectors, d bits, u the latents that are cut at 0, s the size of a code's elements, tau the
temperature.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from ganvas.errors import is_whole, require, require_number
from ganvas.functional.codes import straight_through
from ganvas.functional.entropy import entropy_of_bits, entropy_of_mean_bits
from ganvas.functional.precision import at_least_float32
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer

_MOST_BITS = 62  # an index is an int64
_LARGEST_GROUP = 20  # bits: 2^20 probabilities
FIRST_BITS = ("lowest", "highest")


class BinaryQuantizer(VectorwiseQuantizer):
    """Each of d dimensions becomes s or -s by its sign, straight-through; nothing is learned.

        loss = commitment_cost * commitment + entropy_cost * (E H(p) - entropy_diversity * H(E p))

    p is the softmax over all 2^d codes c of -|u - c|^2 / tau, which is d independent bits, each 1 with
    probability sigmoid(4 s u / tau): H(p) is exactly the sum of the bits' entropies. H(E p) is over the batch
    of all ranks, see :func:`ganvas.functional.entropy.entropy_of_mean_bits`. A subclass says u, s and the
    commitment.

    The index is the binary number of the dimensions above 0.

    Args:
        embedding_dim: d, bits and dimensions of one vector.
        commitment_cost: weight of the commitment, which holds the encoder to the codes.
        entropy_cost: weight of both entropies, in nats.
        entropy_diversity: gamma, weight of the batch's entropy beside the vectors' own.
        entropy_temperature: tau; the less, the nearer to 0 is u where the entropies have a gradient.
        group_bits: bits whose joint distribution over the batch is exact; the entropies of several groups
            are added, which counts what they have in common as if it were not. 1: independent bits.
        first_bit: which digit of the index the first dimension is: ``lowest``, or ``highest`` as in
            vector-quantize-pytorch.

    Raises:
        OptionError: a number of bits outside [1, 62], a group outside [1, 20], a weight below 0, a
            temperature that is not positive, or a digit that there is not.
    """

    losses = ("commitment_loss", "entropy_loss")
    radix: Tensor  # int64 [d], what a bit adds to the index; no checkpoint holds it
    like: Tensor  # a float scalar, of the type that codes have; no checkpoint holds it
    size: float  # s

    def __init__(
        self,
        embedding_dim: int,
        *,
        size: float,
        commitment_cost: float,
        entropy_cost: float,
        entropy_diversity: float,
        entropy_temperature: float,
        group_bits: int,
        first_bit: str = "lowest",
    ) -> None:
        super().__init__()
        require(
            is_whole(embedding_dim) and 1 <= embedding_dim <= _MOST_BITS,
            "embedding_dim",
            embedding_dim,
            f"must be 1 to {_MOST_BITS} bits, which an index counts; 10 make 1,024 codes",
        )
        require_number("commitment_cost", commitment_cost, "0.25 is usual")
        require_number("entropy_cost", entropy_cost, "0.1 is usual")
        require_number("entropy_diversity", entropy_diversity, "1 is usual")
        require_number("entropy_temperature", entropy_temperature, "bsq has 0.01, lfq 1", positive=True)
        require(
            is_whole(group_bits) and 1 <= group_bits <= _LARGEST_GROUP,
            "group_bits",
            group_bits,
            f"must be 1 to {_LARGEST_GROUP} bits; 9 is usual, 1 takes the bits as independent",
        )
        require(first_bit in FIRST_BITS, "first_bit", first_bit, f"must be {' or '.join(FIRST_BITS)}")
        self.codebook_sizes, self.embedding_dim, self.size = (2**embedding_dim,), embedding_dim, size
        self.commitment_cost, self.entropy_cost = commitment_cost, entropy_cost
        self.entropy_diversity = entropy_diversity
        self.entropy_temperature, self.group_bits = entropy_temperature, group_bits
        self.compares_vectors = entropy_cost > 0 and entropy_diversity > 0
        radix = 2 ** torch.arange(embedding_dim)
        self.register_buffer("radix", radix if first_bit == "lowest" else radix.flip(0), persistent=False)
        self.register_buffer("like", torch.zeros(()), persistent=False)

    @abstractmethod
    def latents(self, rows: Tensor) -> Tensor:
        """u, [N, d], of the same signs as rows [N, d]."""

    @abstractmethod
    def commitment(self, latents: Tensor, codes: Tensor) -> Tensor:
        """What :meth:`mean` makes the commitment of: [N] or [N, d], of u and detached codes [N, d]."""

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        latents = self.latents(rows)
        codes = self._codes(rows > 0, rows.dtype)  # [N, d]
        indices = self.search(rows)
        commitment = self.mean(self.commitment(latents, codes), weight)
        entropy = self._entropy(latents, weight)
        loss = self.commitment_cost * commitment + self.entropy_cost * entropy
        return RowsOutput(
            straight_through(quantized=codes, latent=latents),
            indices,
            loss,
            {"commitment_loss": commitment.detach(), "entropy_loss": entropy.detach()},
            self.usage_of(indices, weight),
        )

    def search(self, rows: Tensor) -> Tensor:
        return ((rows > 0) * self.radix).sum(1, keepdim=True)

    def look_up(self, indices: Tensor) -> Tensor:
        codes = self._codes(indices // self.radix % 2 > 0, at_least_float32(self.like).dtype)  # [N, d]
        return codes.to(self.like.dtype)

    def squash(self, rows: Tensor) -> Tensor:
        return self.latents(rows)

    def refinement(self) -> tuple[Tensor, Tensor]:
        """A further bit of each dimension, worth half the one before."""
        half = torch.full((self.embedding_dim,), 0.5, device=self.like.device)
        return half, torch.zeros_like(half)

    def _codes(self, is_one: Tensor, dtype: torch.dtype) -> Tensor:
        return (2 * is_one.to(dtype) - 1) * self.size

    def _entropy(self, latents: Tensor, weight: Tensor | None) -> Tensor:
        """E H(p) - entropy_diversity * H(E p), a scalar."""
        logits = 4 * self.size / self.entropy_temperature * latents  # [N, d]
        each = self.mean(entropy_of_bits(logits).sum(1), weight)
        if self.entropy_diversity == 0:
            return each
        joint = entropy_of_mean_bits(logits, weight, group_bits=self.group_bits, over_ranks=self.training)
        return each - self.entropy_diversity * joint


def unit_size(embedding_dim: int) -> float:
    """Of the elements of codes that have length 1."""
    return 1 / math.sqrt(max(embedding_dim, 1))

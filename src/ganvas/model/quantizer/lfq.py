"""Lookup-free quantization (Yu 2023, arXiv:2310.05737, section 3.1)."""

from __future__ import annotations

from torch import Tensor

from ganvas.model.quantizer.binary import BinaryQuantizer


class LFQ(BinaryQuantizer):
    """Each dimension becomes 1 or -1: u = z, s = 1, commitment = mean((z - sg q)^2) over N * d.

    Args: see :class:`ganvas.model.quantizer.binary.BinaryQuantizer`.
    """

    def __init__(
        self,
        embedding_dim: int = 10,
        commitment_cost: float = 0.25,
        entropy_cost: float = 0.1,
        entropy_diversity: float = 1.0,
        entropy_temperature: float = 1.0,
        group_bits: int = 18,
        first_bit: str = "lowest",
    ) -> None:
        super().__init__(
            embedding_dim,
            size=1.0,
            commitment_cost=commitment_cost,
            entropy_cost=entropy_cost,
            entropy_diversity=entropy_diversity,
            entropy_temperature=entropy_temperature,
            group_bits=group_bits,
            first_bit=first_bit,
        )

    def latents(self, rows: Tensor) -> Tensor:
        return rows

    def commitment(self, latents: Tensor, codes: Tensor) -> Tensor:
        return (latents - codes).square()

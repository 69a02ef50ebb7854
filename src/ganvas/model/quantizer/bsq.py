"""Binary spherical quantization (Zhao 2024, arXiv:2406.07548, section 3.1)."""

from __future__ import annotations

from torch import Tensor

from ganvas.model.quantizer.binary import BinaryQuantizer, unit_size


class BSQ(BinaryQuantizer):
    """The vector is put on the unit sphere, and each dimension becomes 1/sqrt(d) or -1/sqrt(d).

    u = z/|z|, s = 1/sqrt(d); the commitment |u - sg q|^2 is a sum over dimensions and a mean over vectors, so
    that it is at most 4 for any d. A vector of zeros stays one, and takes the code of -1/sqrt(d) throughout.

    Args: see :class:`ganvas.model.quantizer.binary.BinaryQuantizer`.
    """

    def __init__(
        self,
        embedding_dim: int = 10,
        commitment_cost: float = 0.25,
        entropy_cost: float = 0.1,
        entropy_diversity: float = 1.0,
        entropy_temperature: float = 0.01,
        group_bits: int = 9,
        first_bit: str = "lowest",
    ) -> None:
        super().__init__(
            embedding_dim,
            size=unit_size(embedding_dim),
            commitment_cost=commitment_cost,
            entropy_cost=entropy_cost,
            entropy_diversity=entropy_diversity,
            entropy_temperature=entropy_temperature,
            group_bits=group_bits,
            first_bit=first_bit,
        )

    def latents(self, rows: Tensor) -> Tensor:
        # squares of large numbers are infinite; u does not depend on what z is divided by first
        largest = rows.detach().abs().amax(1, keepdim=True).clamp(min=1e-12)
        scaled = rows / largest  # [N, d]
        length = scaled.square().sum(1, keepdim=True)
        return scaled / length.where(length > 0, 1).sqrt()

    def commitment(self, latents: Tensor, codes: Tensor) -> Tensor:
        return (latents - codes).square().sum(1)

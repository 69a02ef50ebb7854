"""What quantizers share that add noise in training: numbers that no generator of the process draws."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor

from ganvas.functional.distributed import all_rows, rank, sum_over_ranks
from ganvas.functional.random import hash_index
from ganvas.model.quantizer.vectorwise import VectorwiseQuantizer


class NoisyQuantizer(VectorwiseQuantizer):
    """Each vector has a key, a function of ``noise_step`` and of its number in the batch of all ranks.

    So two ranks and one process see the same noise, and a resumed run needs nothing but the buffer. What a
    mask leaves out has no number: padding does not change the others' noise. In eval mode there is none, nor
    where the quantizer is frozen (``requires_grad_(False)``, its own method or its parameters').
    """

    never_negative: ClassVar[tuple[str, ...]] = ("noise_step",)
    noise_step: Tensor  # int64 scalar: training batches so far, from a start that torch's generator drew

    def __init__(self) -> None:
        super().__init__()
        self._is_frozen = False

    def start_noise(self) -> None:
        """Makes the buffer; what needs no noise has none."""
        self.register_buffer("noise_step", torch.randint(2**40, ()))
        self.draws_codes = True

    @property
    def is_frozen(self) -> bool:
        parameters = list(self.parameters())
        return self._is_frozen or (bool(parameters) and not any(one.requires_grad for one in parameters))

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes the codes and leaves the noise away, or undoes that."""
        self._is_frozen = not requires_grad
        return super().requires_grad_(requires_grad)

    @torch.no_grad()
    def next_keys(self, rows: Tensor, weight: Tensor | None) -> Tensor | None:
        """Keys int64 [N] of rows [N, D] for this batch, which is counted; None where there is no noise."""
        if not (self.draws_codes and self.training) or self.is_frozen:
            return None
        if weight is None:
            number = torch.arange(len(rows), device=rows.device) + rank() * len(rows)  # [N]
            is_any: Tensor | int = 1
        else:
            there = weight.to(torch.int64)
            before = all_rows(there.sum()[None])[: rank()].sum()
            number = there.cumsum(0) - 1 + before
            is_any = (sum_over_ranks(there.sum()) > 0).to(torch.int64)  # of nothing is learned
        keys = hash_index(hash_index(self.noise_step, "quantizer") + number)
        self.noise_step += is_any
        return keys

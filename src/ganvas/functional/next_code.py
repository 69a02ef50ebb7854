"""One code chosen from logits: temperature, then the k likeliest, then the likeliest that sum to p."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.precision import widened, widest_float
from ganvas.functional.random import hash64


@dataclass(frozen=True)
class Drawing:
    """How codes are drawn from a prior; the defaults draw from its own distribution.

    Args:
        temperature: logits are divided by it; 0 takes the likeliest code.
        top_k: codes that may be drawn, the likeliest; None: all.
        top_p: the likeliest codes are taken until their probabilities sum to it, the one that crosses it
            included (Holtzman 2020, arXiv:1904.09751); 1: all.
        guidance: s of logits u + s (c - u), c by class and u without (Ho & Salimans 2022, arXiv:2207.12598);
            1: by class alone.
        steps: forward passes of a masked model (``model=masked``) for a sample; None: the model's own.

    Raises:
        OptionError: a number out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    guidance: float = 1.0
    steps: int | None = None

    def __post_init__(self) -> None:
        def finite(value: float) -> bool:
            return isinstance(value, int | float) and math.isfinite(value)

        warm = finite(self.temperature) and self.temperature >= 0
        require(warm, "temperature", self.temperature, "must be 0 (the likeliest code) or more; 1 is usual")
        many = self.top_k is None or self.top_k >= 1
        require(many, "top_k", self.top_k, "must be at least 1 code; leave it out for all")
        share = finite(self.top_p) and 0 < self.top_p <= 1
        require(share, "top_p", self.top_p, "must be above 0 and at most 1; 1 takes all codes")
        guided = finite(self.guidance) and self.guidance >= 0
        require(guided, "guidance", self.guidance, "must be 0 or more; 1 is by class alone, 3 is usual")
        stepped = self.steps is None or self.steps >= 1
        require(stepped, "steps", self.steps, "must be at least 1 forward pass; 12 is usual")


class DrawnStep(NamedTuple):
    """What stands after a step of drawing.

    Attributes:
        codes: int64 [num, N]; those that are still hidden are ``layout.vocabulary``.
        guess: int64 [num, N]; for those the codes that were drawn and did not stay. None where a step draws
            no more than what stays.
    """

    codes: Tensor
    guess: Tensor | None


def filtered(logits: Tensor, drawing: Drawing) -> Tensor:
    """Logits [..., V] of the codes that may be drawn, divided by the temperature; -inf for the others.

    At least one code is left. Of equal logits at the border of the k likeliest, those of lower index stay.
    """
    if drawing.temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter_(-1, best, 0.0)
    logits = logits / drawing.temperature
    if drawing.top_k is None and drawing.top_p == 1:
        return logits
    ordered, index = logits.sort(dim=-1, descending=True, stable=True)
    gone = torch.zeros_like(ordered, dtype=torch.bool)
    if drawing.top_k is not None:
        gone[..., drawing.top_k :] = True
        ordered = ordered.masked_fill(gone, -torch.inf)
    if drawing.top_p < 1:
        share = ordered.softmax(-1)
        gone |= share.cumsum(-1) - share >= drawing.top_p  # the first is always kept
    return logits.masked_fill(torch.zeros_like(gone).scatter_(-1, index, gone), -torch.inf)


def pick(logits: Tensor, uniform: Tensor) -> Tensor:
    """The code int64 [...] at which the cumulative distribution of logits [..., V] passes ``uniform`` [...].

    In float64 where the device has it, so that the last bits of the logits seldom decide. A code without
    probability is never taken.

    Args:
        uniform: numbers in [0, 1), one for each choice.

    Raises:
        OptionError: ``logits``: NaN, +inf, or a choice without any code; asked on the CPU alone, where
            looking does not make the host wait.
    """
    share = widened(logits).softmax(-1)
    if share.device.type == "cpu":
        wrong = int(share[..., -1].isnan().sum())  # one that is none makes all of its choice so
        rule = "hold NaN, +inf or -inf alone, and no code can be drawn; is the prior's training diverged?"
        require(wrong == 0, "logits", f"{wrong} of {share[..., -1].numel()} choices", rule)
    until = share.cumsum(-1)
    place = uniform.to(share.dtype).unsqueeze(-1) * until[..., -1:]
    found = (until <= place).sum(-1)
    last = share.shape[-1] - 1 - (share.flip(-1) > 0).int().argmax(-1)  # where rounding passes the end
    return torch.minimum(found, last)


def uniforms(seed: int, start: int, num: int, *shape: int, device: torch.device | str = "cpu") -> Tensor:
    """Numbers in [0, 1) [num, *shape], float64 where the device has it; those of sample i are a function of
    (seed, i) alone.

    Args:
        start: number of the first sample.
        device: where they are wanted.
    """
    rows = [
        torch.rand(
            shape, generator=torch.Generator().manual_seed(hash64(seed, "codes", i)), dtype=torch.float64
        )
        for i in range(start, start + num)
    ]
    found = torch.stack(rows) if rows else torch.zeros(0, *shape, dtype=torch.float64)
    return found.to(widest_float(device)).to(device)

"""Losses on a codebook as a whole: codes that differ, and codes that are chosen surely and evenly.

Symbols: N latents z and K codes e of D dimensions.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.functional.chunks import Parts, in_chunks
from ganvas.functional.distributed import sum_over_ranks, world_size
from ganvas.functional.entropy import entropies_of_softmax, entropy_of_mean

_HELD = 4  # numbers of a row and a code that a part's graph holds


def orthogonal_loss(codes: Tensor) -> Tensor:
    """|Ehat Ehat' - I|^2 / K^2, Ehat the codes [K, D] at length 1 (Shin 2021, arXiv:2112.00384).

    It is the mean over all pairs of their squared cosine, that of a code with itself as 0. Computed as
    (|Ehat' Ehat|^2 - K) / K^2, which needs D x D numbers and not K x K.
    """
    with torch.autocast(codes.device.type, enabled=False):
        unit, number = F.normalize(codes, dim=1), len(codes)
        return ((unit.T @ unit).square().sum() - number) / number**2


def entropy_loss(
    rows: Tensor,
    codes: Tensor,
    *,
    temperature: float,
    diversity: float,
    weight: Tensor | None = None,
    over_ranks: bool,
) -> Tensor:
    """E[H(p)] - diversity H(E[p]) in nats, p = softmax(-|z - e|^2 / temperature) (Yu 2023, arXiv:2310.05737).

    The first term makes each choice sure, the second all of them even; the mean within the second is over the
    rows of all ranks. Of N x K numbers neither pass holds more than a part
    (:func:`ganvas.functional.chunks.in_chunks`).

    Args:
        rows: z [N, D].
        codes: e [K, D].
        temperature: in the latents' unit squared, above 0.
        diversity: weight of the second term.
        weight: float [N], 0 for rows that are left out and 1 for the others.
        over_ranks: whether E is over all ranks' rows; then every rank calls it.

    Returns:
        A scalar; its mean over ranks is the loss of the joint batch, and so is its gradient. 0 where no row
        is there.
    """
    with torch.autocast(rows.device.type, enabled=False):
        kind = torch.promote_types(rows.dtype, codes.dtype)
        rows, codes = rows.to(kind), codes.to(kind)
        centre = codes.detach().mean(0)  # distances stay, and are rounded less
        there = torch.ones_like(rows[:, 0]) if weight is None else weight.to(kind)
        each = functools.partial(_choose, temperature=temperature)
        (entropies,), (total,) = in_chunks(
            each, (rows - centre, there), codes - centre, width=_HELD * len(codes)
        )
        number = there.sum()
        joint = entropy_of_mean(total, number, over_ranks=over_ranks)
        if over_ranks:
            number = sum_over_ranks(number) / world_size()
        return entropies @ there / number.clamp(min=torch.finfo(kind).tiny) - diversity * joint


def _choose(rows: Tensor, there: Tensor, codes: Tensor, *, temperature: float) -> tuple[Parts, Parts]:
    """H(p) [n] and the sum of p, [K]; what |z|^2 adds to all scores of a row changes no softmax."""
    with torch.autocast(rows.device.type, enabled=False):
        scores = torch.addmm(codes.square().sum(1) / -temperature, rows * (2 / temperature), codes.T)
        entropies, total = entropies_of_softmax(scores, there)
        return (entropies,), (total,)

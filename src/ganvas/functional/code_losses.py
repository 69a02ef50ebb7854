"""Losses on a codebook as a whole: codes that differ, and codes that are chosen surely and evenly.

Symbols: N latents z and K codes e of D dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ganvas.functional.distributed import sum_over_ranks

_SCORES = 2**20  # rows times codes at a time, 4 MiB of float32


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
    mean: Callable[[Tensor], Tensor],
    weight: Tensor | None,
    over_ranks: bool,
) -> Tensor:
    """E[H(p)] - diversity H(E[p]) in nats, p = softmax(-|z - e|^2 / temperature) (Yu 2023, arXiv:2310.05737).

    The first term makes each choice sure, the second all of them even; the mean within the second is over the
    rows of all ranks. Rows are taken in chunks, and their p is computed again for the gradient, so that
    N x K numbers are never held.

    Args:
        rows: z [N, D].
        codes: e [K, D].
        temperature: in the latents' unit squared, above 0.
        diversity: weight of the second term.
        mean: of [N] numbers over the rows that are there.
        weight: float [N], 0 for rows that are left out and 1 for the others.
        over_ranks: whether E[p] is that of all ranks.

    Returns:
        A scalar; its mean over ranks is the loss of the joint batch, and so is its gradient.
    """
    with torch.autocast(rows.device.type, enabled=False):
        kind = torch.promote_types(rows.dtype, codes.dtype)
        rows, codes = rows.to(kind), codes.to(kind)
        centre = codes.detach().mean(0)  # distances stay, and are rounded less
        rows, codes = rows - centre, codes - centre
        chunk = max(_SCORES // len(codes), 1)
        pieces = rows.split(chunk)
        with torch.no_grad():
            sums = codes.new_zeros(len(codes))
            for number, piece in enumerate(pieces):
                p = _log_p(piece, codes, temperature).exp()
                here = 1 if weight is None else weight[number * chunk :][: len(piece), None]
                sums += (p * here).sum(0)
            sums = sum_over_ranks(sums) if over_ranks else sums
            # The gradient through this logarithm is sum E[p] dE[p]/E[p] = 0, so that it may be a constant.
            log_mean = (sums / sums.sum().clamp(min=1e-30)).clamp(min=torch.finfo(kind).tiny).log()

        def each(piece: Tensor, codes: Tensor) -> Tensor:
            log_p = _log_p(piece, codes, temperature)
            return (log_p.exp() * (diversity * log_mean - log_p)).sum(1)

        parts = [
            checkpoint(each, piece, codes, use_reentrant=False, preserve_rng_state=False) for piece in pieces
        ]
        return mean(torch.cat(parts))


def _log_p(rows: Tensor, codes: Tensor, temperature: float) -> Tensor:
    """log p [n, K]; what |z|^2 adds to all scores of a row changes no softmax."""
    scores = torch.addmm(codes.square().sum(1), rows, codes.T, beta=-1 / temperature, alpha=2 / temperature)
    return scores.log_softmax(1)

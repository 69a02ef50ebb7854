"""Losses on a codebook as a whole: codes that differ, and codes that are chosen surely and evenly.

Symbols: N latents z and K codes e of D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.compiler import is_exporting
from torch.jit import is_tracing
from torch.nn import functional as F

from ganvas.functional.distributed import sum_over_ranks, world_size

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
    weight: Tensor | None = None,
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
        rows, codes = rows - centre, codes - centre
        ones = torch.ones_like(rows[:, 0]) if weight is None else weight.to(kind)
        own, entropies = _sums(rows.detach(), codes.detach(), ones, temperature)
        number, sums = ones.sum(), own
        if over_ranks:
            number, sums = sum_over_ranks(number) / world_size(), sum_over_ranks(own)
        number = number.clamp(min=1e-30)
        tiny = torch.finfo(kind).tiny
        log_mean = (sums / sums.sum().clamp(min=1e-30)).clamp(min=tiny).log()  # log E[p], [K]
        value = (entropies + diversity * own @ log_mean) / number
        loss: Tensor = _WithGradient.apply(  # type: ignore[no-untyped-call]  # torch's
            rows, codes, value, ones / number, diversity * log_mean, temperature
        )
        return loss


class _WithGradient(torch.autograd.Function):
    """The value as it is, with the gradient of sum_i w_i sum_k p_ik (g_k - log p_ik) to rows and codes.

    g is diversity log E[p] and may be a constant: the gradient through the logarithm is a multiple of
    sum_k E[p_k] dE[p_k]/E[p_k] = d(sum p) = 0.
    """

    @staticmethod
    def forward(*inputs: Any) -> Tensor:
        value: Tensor = inputs[2]
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _output: Tensor) -> None:
        rows, codes, _, weights, log_mean, temperature = inputs
        ctx.save_for_backward(rows, codes, weights, log_mean)
        ctx.temperature = temperature

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, codes, weights, log_mean = ctx.saved_tensors
        by_rows, by_codes = [], torch.zeros_like(codes)
        for piece, each in zip(*(_chunks(value, codes) for value in (rows, weights)), strict=True):
            log_p = _log_p(piece, codes, ctx.temperature)
            p, slope = log_p.exp(), log_mean - log_p
            slope = (slope - (p * slope).sum(1, keepdim=True)).mul_(p).mul_(each[:, None])  # by the scores
            by_rows.append(slope @ codes)
            by_codes += slope.T @ piece - slope.sum(0)[:, None] * codes
        scale = 2 * gradient / ctx.temperature
        return scale * torch.cat(by_rows), scale * by_codes, None, None, None, None


def _sums(rows: Tensor, codes: Tensor, weights: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Sums of p, [K], and of its entropy, a scalar, over weighted rows."""
    sums, entropies = codes.new_zeros(len(codes)), codes.new_zeros(())
    for piece, each in zip(*(_chunks(value, codes) for value in (rows, weights)), strict=True):
        log_p = _log_p(piece, codes, temperature)
        p = log_p.exp()
        sums = sums + each @ p
        entropies = entropies - each @ (p * log_p).sum(1)
    return sums, entropies


def _chunks(rows: Tensor, codes: Tensor) -> Sequence[Tensor]:
    if is_exporting() or is_tracing():  # how many there are would be fixed in the program
        return (rows,)
    pieces: Sequence[Tensor] = rows.split(max(_SCORES // len(codes), 1))
    return pieces


def _log_p(rows: Tensor, codes: Tensor, temperature: float) -> Tensor:
    """log p [n, K]; what |z|^2 adds to all scores of a row changes no softmax."""
    scores = torch.addmm(codes.square().sum(1), rows, codes.T, beta=-1 / temperature, alpha=2 / temperature)
    return scores.log_softmax(1)

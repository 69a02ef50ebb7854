"""Latents as rows, their codes back as latents, and rows from which codes are made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.compiler import is_compiling
from torch.jit import is_tracing
from torch.nn import functional as F

from ganvas.functional.distributed import all_rows, rank, sum_over_ranks, world_size
from ganvas.functional.precision import widened
from ganvas.functional.random import hash_index

_CAP_ROUNDS = 3  # one for each scale of outliers


def require_indices(indices: Tensor, num_codes: int, *, may_be_none: bool = False) -> int:
    """Raises ValueError where one of whole numbers of any shape is outside [0, num_codes).

    Args:
        may_be_none: -1 passes, which stands for no code.

    Returns:
        The least of them, and 0 where there are none.
    """
    least, most = (int(number) for number in indices.aminmax()) if indices.numel() else (0, 0)
    if least < (-1 if may_be_none else 0) or most >= num_codes:
        wrong = most if most >= num_codes else least
        raise ValueError(f"indices hold {wrong}: each must be in [0, {num_codes})")
    return least


def rows_of(grid: Tensor) -> Tensor:
    """[B, D, *positions] to [B * positions, D], in the order of the grid's indices [B, *positions]."""
    return grid.movedim(1, -1).reshape(-1, grid.shape[1])


def grid_of(rows: Tensor, shape: Sequence[int]) -> Tensor:
    """[N, D] to [B, D, *positions], where ``shape`` is [B, *positions]; undoes :func:`rows_of`."""
    return rows.view(*shape, rows.shape[1]).movedim(-1, 1)


def straight_through(*, quantized: Tensor, latent: Tensor, slope: Tensor | None = None) -> Tensor:
    """``quantized`` exactly, with the gradient of ``latent`` (Bengio 2013, arXiv:1308.3432, section 4).

    The usual ``z + (q - z)`` differs from q by rounding; this does not. The result may lie where
    ``quantized`` does.

    Args:
        slope: by which the gradient is multiplied, of a shape that broadcasts to theirs; a constant.
    """
    eager = not (is_compiling() or is_tracing())
    if not (eager and quantized.dtype == latent.dtype and quantized.shape == latent.shape):
        # the term that carries the gradient is an exact zero
        return quantized.detach() + (latent - latent.detach()) * (1 if slope is None else slope)
    passed: Tensor = _StraightThrough.apply(quantized, latent, slope)  # type: ignore[no-untyped-call]
    return passed


class _StraightThrough(Function):
    """Without it a forward pass has two more passes over memory."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Tensor | None) -> Tensor:
        quantized, *_ = inputs
        assert quantized is not None
        return quantized.detach()

    @staticmethod
    def setup_context(ctx: Any, *given: Any) -> None:
        (_, _, slope), _ = given
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(slope)
        ctx.save_for_forward(slope)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[None, Tensor | None, None]:
        (gradient,), (slope,) = gradients, ctx.saved_tensors
        return None, gradient if gradient is None or slope is None else gradient * slope, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor | None:
        (_, tangent, _), (slope,) = tangents, ctx.saved_tensors
        return tangent if tangent is None or slope is None else tangent * slope


def code_sums(rows: Tensor, indices: Tensor, num_codes: int) -> Tensor:
    """The sum of the rows that chose each code, added up in their order; zeros where none did.

    Args:
        rows: [N, D], float32 or float64.
        indices: int64 [N] in [0, num_codes).
        num_codes: K.

    Returns:
        [K, D], of the rows' type.
    """
    if rows.device.type == "cpu" and rows.dtype == torch.float32 and not (is_compiling() or is_tracing()):
        with suppress(RuntimeError):  # a tensor within torch.func.grad has no array
            # numpy sorts whole numbers of 16 bits by counting, which keeps the order of equal ones
            short = indices.to(torch.int16 if num_codes <= 2**15 else torch.int32).numpy()
            order = torch.from_numpy(short.argsort(kind="stable"))
            counts = torch.bincount(indices, minlength=num_codes)
            return F.embedding_bag(order, rows, counts.cumsum(0) - counts, mode="sum")
    return rows.new_zeros(num_codes, rows.shape[1]).index_add_(0, indices, rows)


def spread_rows(
    rows: Tensor, num: int, key: Tensor, weight: Tensor | None = None, there: Tensor | None = None
) -> Tensor:
    """``num`` rows of the global batch, drawn by systematic sampling; the same on every rank.

    The batch's weight is cut into ``num`` equal stretches, and each gives the row at one drawn place, so
    that a row of twice the weight comes twice as often, and without weights no row comes twice. With weights
    a row that is heavier than a stretch counts as about one: a single outlier cannot own them all.

    Args:
        rows: this rank's [N, D]; N is equal on all ranks.
        num: how many; more than all ranks' rows together come with repeats.
        key: int64 scalar on the rows' device; it decides the places.
        weight: float [N], at least 0; equal ones without.
        there: float [N], 0 for rows that are never drawn, as long as some rank has others.

    Returns:
        [num, D], detached.
    """
    rows = rows.detach()
    # whole numbers: their sums are exact in any order, on any device and over any ranks
    steps = torch.full_like(rows[:, 0], 2**20, dtype=torch.int64)
    if weight is not None:
        weight = weight if there is None else weight * there
        weight, mean = _capped(widened(weight), num)
        # one more keeps a total above zero where every weight is zero
        steps = (weight / mean.clamp(min=1e-30) * 2**20).to(torch.int64) + 1
    if there is not None:
        steps = steps * (there > 0)
    until = steps.cumsum(0)  # [N]
    totals = all_rows(until[-1:])  # [ranks]
    total, before = totals.sum(), totals[: rank()].sum()
    number = torch.arange(num, device=rows.device)
    start, end = number * total // num, (number + 1) * total // num
    # a share of the stretch: weights that differ by float noise, as over ranks, move the place by as little
    share = hash_index(number + key * num, "spread_rows") >> 43  # of 2^20
    place = start + (share * (end - start) >> 20) - before
    local = torch.searchsorted(until, place, right=True)  # [num]
    picked = rows[local.clamp(max=rows.shape[0] - 1)]
    if world_size() == 1:
        return picked
    own = (place >= 0) & (place < totals[rank()])
    return sum_over_ranks(picked.where(own[:, None], picked.new_zeros(())))


def _capped(weight: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """Weights [N] of which none is more than about a ``num``-th of all ranks' sum after it; and their mean.

    The cap c solves sum min(w, c) = num c, by Newton's method, which comes down from the plain mean; it is
    at least the smallest weight above zero, where there are too few rows.
    """
    everyone = all_rows(weight)
    least = everyone.where(everyone > 0, torch.inf).amin()
    cap = everyone.sum() / num
    for _ in range(_CAP_ROUNDS):
        below = everyone <= cap
        free = (num - len(everyone) + below.sum()).clamp(min=1)
        cap = ((everyone * below).sum() / free).clamp(min=least)
    return weight.clamp(max=cap), everyone.clamp(max=cap).mean()


def first_codes(rows: Tensor, num: int, there: Tensor | None = None) -> Tensor:
    """Codes from the first batch's vectors: rows of all ranks [num, D], with a little noise.

    The noise parts codes that come from equal rows. In each dimension it is 1 % of the rows' standard
    deviation there, without the smallest and the largest eighth of them: neither another dimension's scale
    nor a single outlier decides how large it is. Where nothing but these varies, in any dimension, it is 1 %
    of the whole deviation. ``there``: see :func:`spread_rows`.
    """
    zero = torch.zeros((), dtype=torch.int64, device=rows.device)
    codes = spread_rows(rows, num, zero, there=there)
    number = torch.arange(codes.numel(), device=rows.device).view_as(codes)
    noise = (hash_index(number, "first_codes") >> 39).to(codes.dtype) / 2**23 - 1  # uniform on [-1, 1)
    edge = num // 8
    inner = codes.sort(0).values[edge : num - edge].std(0, unbiased=False)  # [D]
    scale = torch.where((inner > 0).any(), inner, codes.std(0, unbiased=False))
    return codes + 0.01 * scale * noise

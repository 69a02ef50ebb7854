"""Which codes of a level are looked at, and indices in which codes are put by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def by_use(counts: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The most used codes of a level, the most used one first; of equal use the lower index first.

    Args:
        counts: how often each code is used, [K], dense or sparse
            (:func:`ganvas.functional.code_usage.counts_to_sum`).
        most: how many, at least 1; all K where there are no more. Those that no vector uses come last.

    Returns:
        The codes and their counts, int64 [min(K, most)] each, on the CPU.
    """
    size = counts.shape[0]
    codes, number = _in_use(counts)
    order = number.argsort(descending=True, stable=True)[:most]
    codes, number = codes[order], number[order]
    lacking = min(size, most) - len(codes)
    if lacking > 0:  # then all that are in use are among them
        first = torch.arange(min(size, len(codes) + lacking))
        unused = first[~torch.isin(first, codes)][:lacking]
        codes, number = torch.cat([codes, unused]), torch.cat([number, torch.zeros_like(unused)])
    return codes, number


def first_by_index(counts: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The first codes of a level by their indices; arguments and return as of :func:`by_use`."""
    codes = torch.arange(min(counts.shape[0], most))
    return codes, counts_of(counts, codes)


def spread(size: int, most: int) -> Tensor:
    """``most`` of ``size`` codes, evenly apart by index; all where there are no more: int64 [M]."""
    number = min(size, most)
    i = torch.arange(number)
    return i * (size // number) + i * (size % number) // number  # i * size may be beyond int64


def counts_of(counts: Tensor, codes: Tensor) -> Tensor:
    """How often some codes int64 [M] are used, int64 [M], by counts as :func:`by_use` takes them."""
    if not counts.is_sparse:
        return counts.cpu()[codes].to(torch.int64)
    used, number = _in_use(counts)  # used is sorted
    if not len(used):
        return torch.zeros_like(codes)
    place = torch.searchsorted(used, codes).clamp(max=len(used) - 1)
    return number[place] * (used[place] == codes)


def _in_use(counts: Tensor) -> tuple[Tensor, Tensor]:
    """The codes that are used, by their indices, and their counts."""
    if counts.is_sparse:
        counts = counts.coalesce()
        codes, number = counts.indices()[0].cpu(), counts.values().cpu().to(torch.int64)
        return codes[number > 0], number[number > 0]
    number = counts.cpu().to(torch.int64)
    codes = number.nonzero()[:, 0]
    return codes, number[codes]


def alone(usual: Tensor, level: int, codes: Tensor) -> Tensor:
    """Indices in which one level holds one code at every position, a row for each code.

    Args:
        usual: int64 [1, levels, *positions], what the other levels hold.
        level: from 0.
        codes: int64 [N].

    Returns:
        int64 [N, levels, *positions].
    """
    indices = usual.expand(len(codes), *usual.shape[1:]).clone()
    indices[:, level] = codes.view(-1, *[1] * (usual.ndim - 2))
    return indices


def swap_positions(own: Tensor, other: Tensor, steps: int) -> Tensor:
    """One sample's indices with another's at growing parts of the positions, in their order (row by row).

    Args:
        own: int64 [levels, *positions].
        other: likewise.
        steps: S, at least 2. Step s takes round(P s / (S - 1)) of P positions from ``other``: none at the
            first step, all at the last one.

    Returns:
        int64 [S, levels, *positions].
    """
    positions = own[0].numel()
    taken = (torch.arange(steps) * positions / (steps - 1)).round()
    is_other = (torch.arange(positions) < taken[:, None]).view(steps, 1, *own.shape[1:])
    return torch.where(is_other.to(own.device), other[None], own[None])


def swap_levels(
    own: tuple[Tensor, ...],
    other: tuple[Tensor, ...],
    steps: int,
    *,
    cut: Callable[[tuple[Tensor, ...], int], tuple[Tensor, ...]],
    num_cuts: int,
) -> tuple[Tensor, ...]:
    """One sample's first levels with another's later ones, of which there are more at every step.

    Args:
        own: of each size of codes int64 [levels, *positions].
        other: likewise.
        steps: S, at least 2. Step s takes round(n s / (S - 1)) of the n last levels from ``other``.
        cut: the part of such codes, of samples [B, ...] of each size, that is their first k levels.
        num_cuts: n.

    Returns:
        Of each size int64 [S, levels, *positions].
    """
    rows = []
    for step in range(steps):
        kept = num_cuts - round(num_cuts * step / (steps - 1))
        row = [one.clone() for one in other]
        first = cut(tuple(one[None] for one in own), kept) if kept else ()
        for place, part in zip(row, first, strict=False):
            place[tuple(slice(0, size) for size in part.shape[1:])] = part[0]
        rows.append(row)
    return tuple(torch.stack(size) for size in zip(*rows, strict=True))

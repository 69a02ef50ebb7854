"""Sides of maps from coarse to fine."""

from __future__ import annotations


def growing_sides(last: int) -> list[int]:
    """1, 2, 3, ... up to ``last``, each a quarter larger than the one before it, by one at least.

    Those of VAR (Tian 2024, arXiv:2404.02905) for 16: 1, 2, 3, 4, 5, 6, 8, 10, 13, 16. None for 0.
    """
    sides, side = [], 1
    while side < last:
        sides.append(side)
        side = max(side + 1, (5 * side + 2) // 4)  # 1.25 of it, rounded
    return [*sides, last] if last > 0 else []

"""Arithmetic that comes out alike on every machine: least squares and logarithms in whole numbers."""

from __future__ import annotations

import functools
from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LOG_STEPS = 64  # steps of a logarithm in an octave
_LOG_BITS = 10  # leading bits, after the first one, that a logarithm looks at


def products(left: Integers, right: Integers) -> Integers:
    """left^T right, exact while sums stay below 2^53: floats hold them whatever the order of the sum."""
    found: Integers = (left.T.astype(np.float64) @ right.astype(np.float64)).astype(np.int64)
    return found


def solve(matrix: Integers, target: Integers, scale: int) -> Integers:
    """Solution of a symmetric positive definite system times ``scale``, rounded down; by whole numbers alone.

    Args:
        matrix: int64 [F, F].
        target: int64 [F].

    Elimination without fractions (Bareiss 1968), in Python's integers of any size.
    """
    size = len(target)
    rows = [[int(value) for value in row] + [int(own)] for row, own in zip(matrix, target, strict=True)]
    previous = 1
    for pivot in range(size):
        top = rows[pivot]
        for below in range(pivot + 1, size):
            row, factor = rows[below], rows[below][pivot]
            for column in range(pivot + 1, size + 1):
                row[column] = (row[column] * top[pivot] - factor * top[column]) // previous
            row[pivot] = 0
        previous = top[pivot]
    # Back substitution in fixed point: 2^64 steps more than are asked for, so that rounding does not show.
    fine = scale << 64
    found = [0] * size
    for pivot in reversed(range(size)):
        known = sum(rows[pivot][column] * found[column] for column in range(pivot + 1, size))
        found[pivot] = (rows[pivot][size] * fine - known) // rows[pivot][pivot]
    return np.array([value >> 64 for value in found], dtype=np.int64)


def log_steps(values: Integers) -> npt.NDArray[np.int32]:
    """About LOG_STEPS times log2 of numbers in [1, 2^52), as int32: a look-up by a float's leading bits."""
    leading = values.astype(np.float64).view(np.int64) >> (52 - _LOG_BITS)  # exact, IEEE 754
    found: npt.NDArray[np.int32] = _log_table()[leading - (1023 << _LOG_BITS)]
    return found


def power_table(octaves: int, bits: int) -> Integers:
    """int64 [octaves * LOG_STEPS]: round(2^bits 2^(-k / LOG_STEPS)), at least 1."""
    context = Context(prec=40)
    step = context.divide(context.ln(Decimal(2)), Decimal(LOG_STEPS))
    return np.array(
        [
            max(1, int((context.exp(-k * step) * (1 << bits)).to_integral_value()))
            for k in range(octaves * LOG_STEPS)
        ],
        dtype=np.int64,
    )


@functools.cache
def _log_table() -> npt.NDArray[np.int32]:
    """LOG_STEPS log2(1 + k / 2^_LOG_BITS) + LOG_STEPS e, rounded; octave e after octave."""
    context, steps = Context(prec=40), 1 << _LOG_BITS
    octave = context.ln(Decimal(2))
    logs = [context.divide(context.ln(Decimal(steps + k) / steps), octave) * LOG_STEPS for k in range(steps)]
    own = np.array([int(value.to_integral_value()) for value in logs], dtype=np.int32)
    return (np.arange(52, dtype=np.int32)[:, None] * LOG_STEPS + own).ravel()

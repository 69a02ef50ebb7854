"""From a prior's logits to integer weights that are the same on every machine.

Arithmetic coding is lost where encoder and decoder disagree on one bit of one probability, and sums of
floats differ in their last bits between processors, thread counts and batch shapes. So logits in float64 are
rounded to a coarse grid, and all that follows is whole numbers: the row's maximum is subtracted, and the
weight comes from a table of exp that :mod:`decimal` gives exactly.

A grid of 1/16 costs (1/16)^2 / 24 nats a symbol, 0.00023 bits: the rounding error is uniform and independent
of the logits, and a Kullback-Leibler divergence is half its variance.

What is left is a logit on the very edge between two steps. The grid may be shifted by one of
:data:`NUM_SHIFTS` amounts: an encoder chooses one at which no logit of a block lies within :data:`MARGIN`
of an edge, so that a decoder whose logits differ by less reads the same weights for certain.
"""

from __future__ import annotations

import functools
from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt

GRID = 16  # steps in a logit of 1
NUM_SHIFTS = 16  # shifts of the grid, each 1/16 of a step
MARGIN = 2.0**-30  # steps; 5.8e-11 of a logit, where float64 noise is about 1e-13

_WEIGHT_BITS = 24  # weight of the row's maximum; the coder's own precision
_MOST = 2.0**40  # a logit beyond has no digits left for the grid

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@functools.cache
def exp_table() -> Integers:
    """int64 [M]: round(2^24 exp(-k / GRID)) for k = 0, 1, ...; the last one is 1.

    :mod:`decimal` rounds exp correctly, whatever the machine; a float library's last bit differs.
    """
    context = Context(prec=40)
    weights: list[int] = []
    while not weights or weights[-1] > 1:
        value = context.multiply(context.exp(Decimal(-len(weights)) / GRID), Decimal(1 << _WEIGHT_BITS))
        weights.append(max(1, int(value.to_integral_value())))
    return np.array(weights, dtype=np.int64)


def integer_weights(logits: Floats, size: int, shift: int = 0) -> Floats:
    """Weights of the codes of one level.

    Args:
        logits: float64 [B, V]; -inf is a code that hardly comes.
        size: codes that the level has, at most V; those beyond are left out.
        shift: of the grid, in [0, NUM_SHIFTS).

    Returns:
        float64 [B, size], whole numbers as the coder takes them, each in [1, 2^24]; a row's largest is 2^24.

    Raises:
        ValueError: a logit of the level is NaN, +inf or larger than 2^40, or a row is all -inf.
    """
    steps = _steps(logits, size) + (shift / NUM_SHIFTS + 0.5)
    steps = np.floor(np.maximum(steps, -(2.0**50), out=steps), out=steps)
    whole = steps.astype(np.int64)
    below = whole.max(axis=1, keepdims=True) - whole
    table = _float_table()
    found: Floats = table[np.minimum(below, len(table) - 1)]
    return found


@functools.cache
def _float_table() -> Floats:
    return exp_table().astype(np.float64)


def edges(logits: Floats, size: int) -> npt.NDArray[np.bool_]:
    """bool [NUM_SHIFTS]: shifts of the grid at which a logit lies within MARGIN of an edge.

    The arguments and errors of :func:`integer_weights`.
    """
    scaled = _steps(logits, size) * NUM_SHIFTS
    scaled = scaled[np.isfinite(scaled)]
    nearest = np.rint(scaled)
    near = nearest[np.abs(scaled - nearest) < MARGIN * NUM_SHIFTS].astype(np.int64)
    found = np.zeros(NUM_SHIFTS, dtype=np.bool_)
    found[(-near - NUM_SHIFTS // 2) % NUM_SHIFTS] = True
    return found


def _steps(logits: Floats, size: int) -> Floats:
    """Logits of the level in steps of the grid, checked."""
    if logits.dtype != np.float64 or logits.ndim != 2 or not 0 < size <= logits.shape[1]:
        raise ValueError(f"logits are {logits.dtype} {logits.shape}: must be float64 [B, at least {size}]")
    own = logits[:, :size]
    largest = own.max(axis=1)
    if not (np.abs(largest) <= _MOST).all():  # NaN too
        raise ValueError("a prior's logits are not finite, or too large to code with")
    steps: Floats = own * GRID
    return steps

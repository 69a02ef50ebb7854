"""A geometric mean of distributions whose exponents are learned while coding, in whole numbers alone.

The weight of symbol v is the product over experts k of p_k(v)^w_k (a product of experts, Hinton 2002). A step
in the exponents after each span of elements follows the gradient of the length, log p_k(x) - E log p_k
(Mahoney 2005, "Adaptive Weighing of Context Models for Lossless Data Compression", which mixes bits so).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ganvas.codec.exact import power_table

Integers = npt.NDArray[np.int64]

_ONE = 1 << 12  # an exponent of 1
_PRIOR = 20  # elements by which a step is held back, so that one of few elements is small
_STEP = 9, 4  # 0.05 of the gradient in natural logarithms, of whole logarithms by 64 steps an octave
_SEEN = 12  # groups of a context by the elements seen in it, by powers of two
_POWERS = power_table(24, 24)
_LARGEST = 8 * _ONE


class Mixture:
    """Exponents of some experts: for each a sum of one by how much its context has seen, and one by kind.

    Args:
        experts: K; at first each but the last, which others fall back to, has its equal share.
        kinds: of elements.
    """

    def __init__(self, experts: int, kinds: int) -> None:
        self._by_seen = np.full((experts, _SEEN), _ONE // max(experts - 1, 1), dtype=np.int64)
        self._by_seen[-1] = _ONE if experts == 1 else 0
        self._by_kind = np.zeros((kinds, experts), dtype=np.int64)
        self._numbers = np.arange(experts)

    def weights(self, logs: npt.NDArray[np.int32], seen: Integers, kind: Integers) -> Integers:
        """Weights in [1, 2^24] of each symbol, int64 [n, V].

        Args:
            logs: of each expert's weights, [n, K, V], in :data:`ganvas.codec.exact.LOG_STEPS` an octave; what
                is the same for all V does not matter.
            seen: elements that each expert's context has seen, int64 [n, K].
            kind: int64 [n].
        """
        self._logs, self._kind = logs.astype(np.float64), kind
        self._group = np.searchsorted(1 << np.arange(1, _SEEN), seen + 1, side="right")
        exponents = (self._by_seen[self._numbers, self._group] + self._by_kind[kind]).astype(np.float64)
        # Floats hold these sums whatever their order: they are whole numbers below 2^53.
        total = np.matmul(exponents[:, None], self._logs)[:, 0].astype(np.int64) // _ONE
        below = total.max(axis=1, keepdims=True) - total
        found: Integers = _POWERS[np.minimum(below, len(_POWERS) - 1)]
        self._weights = found
        return found

    def learn(self, symbols: Integers) -> None:
        """One step, from the symbols [n] that :meth:`weights` was asked about last."""
        weights = self._weights.astype(np.float64)
        total = self._weights.sum(axis=1)[:, None]
        expected = np.matmul(self._logs, weights[:, :, None])[:, :, 0].astype(np.int64) // total
        slope = self._logs[np.arange(len(symbols)), :, symbols].astype(np.int64) - expected  # [n, K]
        for expert in range(len(self._by_seen)):
            self._by_seen[expert] += _steps(slope[:, expert], self._group[:, expert], _SEEN)
            self._by_kind[:, expert] += _steps(slope[:, expert], self._kind, len(self._by_kind))
        np.clip(self._by_seen, -_LARGEST, _LARGEST, out=self._by_seen)
        np.clip(self._by_kind, -_LARGEST, _LARGEST, out=self._by_kind)


def _steps(slope: Integers, group: Integers, groups: int) -> Integers:
    """The step of each group's exponent, int64 [groups]."""
    times, parts = _STEP
    held = np.bincount(group, minlength=groups) + _PRIOR
    summed = np.bincount(group, weights=slope, minlength=groups).astype(np.int64)
    found: Integers = (2 * times * summed + parts * held) // (2 * parts * held)  # rounded
    return found

"""Arrays that are sound and hold something else than was expected."""

from __future__ import annotations

import random

import numpy as np


def other_array(array: np.ndarray, draws: random.Random) -> np.ndarray:
    """One of another order, length, type, layout or shape."""
    return draws.choice(
        (
            lambda: array[::-1],
            lambda: array[:0],
            lambda: array[:-1],
            lambda: array.astype(np.float32),
            lambda: array.astype(">u2"),
            lambda: np.asfortranarray(array),
            lambda: array.reshape(-1),
            lambda: np.array(3, dtype=np.uint8),
            lambda: np.array(["x"]),
            lambda: np.zeros((2**40, 0), dtype=np.uint8),
            lambda: array.view(np.int8),
            lambda: array[..., 0],
            lambda: np.zeros(3, dtype=[("a", "u1")]),
            lambda: array.astype(np.bool_),
        )
    )()

"""Exponents of experts that are learned while coding: who is right gains, and all is whole numbers."""

from __future__ import annotations

import numpy as np

from ganvas.codec.exact import LOG_STEPS, log_steps
from ganvas.codec.mixture import Mixture

SYMBOLS = 8
NO_CONTEXT = np.zeros(50, dtype=np.int64)


def experts(*shares: list[float]) -> np.ndarray:
    """Logarithms int32 [50, K, 8] of one distribution an expert."""
    whole = (np.array(shares) * 2**20).astype(np.int64)
    return np.repeat(log_steps(whole)[None], 50, axis=0)


def length(weights: np.ndarray, symbols: np.ndarray) -> float:
    """Bits a symbol."""
    shares = weights[np.arange(len(symbols)), symbols] / weights.sum(axis=1)
    return float(-np.log2(shares).mean())


RIGHT = [0.4, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]
WRONG = RIGHT[::-1]


def test_the_first_weights_are_the_geometric_mean_of_all_but_the_last() -> None:
    logs = experts(RIGHT, WRONG, [1 / 8] * 8)
    found = Mixture(3, 1).weights(logs, np.zeros((50, 3), dtype=np.int64), NO_CONTEXT)
    wanted = np.sqrt(np.array(RIGHT) * np.array(WRONG))
    np.testing.assert_allclose(found[0] / found[0].sum(), wanted / wanted.sum(), rtol=2 / LOG_STEPS)


def test_the_expert_that_is_right_gains() -> None:
    draws = np.random.default_rng(1)
    logs, seen = experts(WRONG, RIGHT, [1 / 8] * 8), np.zeros((50, 3), dtype=np.int64)
    mixture = Mixture(3, 1)
    entropy = float(-(np.array(RIGHT) * np.log2(RIGHT)).sum())
    lengths = []
    for _ in range(400):
        symbols = draws.choice(SYMBOLS, 50, p=RIGHT)
        lengths.append(length(mixture.weights(logs, seen, NO_CONTEXT), symbols))
        mixture.learn(symbols)
    assert np.mean(lengths[:5]) > entropy + 0.2
    assert abs(np.mean(lengths[-200:]) - entropy) < 0.03
    shares = mixture.weights(logs, seen, NO_CONTEXT)[0].astype(float)
    np.testing.assert_allclose(shares / shares.sum(), RIGHT, rtol=0.15)


def test_exponents_differ_by_kind_and_by_how_much_a_context_has_seen() -> None:
    """Of kind 0 the first expert is right and of kind 1 the second; likewise with much and little seen."""
    draws = np.random.default_rng(2)
    logs = experts(RIGHT, WRONG, [1 / 8] * 8)
    half = np.arange(50) % 2
    for by_kind in (True, False):
        mixture = Mixture(3, 2)
        kind = half if by_kind else NO_CONTEXT
        seen = np.zeros((50, 3), dtype=np.int64) if by_kind else np.repeat(half[:, None] * 1000, 3, axis=1)
        for _ in range(400):
            symbols = np.where(
                half == 0, draws.choice(SYMBOLS, 50, p=RIGHT), draws.choice(SYMBOLS, 50, p=WRONG)
            )
            weights = mixture.weights(logs, seen, kind)
            mixture.learn(symbols)
        likeliest = weights.argmax(axis=1)
        assert (likeliest[half == 0] == 0).all()
        assert (likeliest[half == 1] == SYMBOLS - 1).all()


def test_it_is_the_same_whatever_else_is_in_the_span() -> None:
    """A row's weights are its own; and they are whole numbers of at least 1."""
    logs = experts(RIGHT, WRONG, [1 / 8] * 8)
    logs[7, 0] = 0
    mixture, seen = Mixture(3, 1), np.full((50, 3), 9, dtype=np.int64)
    whole = mixture.weights(logs, seen, NO_CONTEXT)
    part = mixture.weights(logs[5:9], seen[5:9], NO_CONTEXT[5:9])
    assert (whole[5:9] == part).all()
    assert whole.dtype == np.int64
    assert whole.min() >= 1
    assert not (whole[7] == whole[6]).all()

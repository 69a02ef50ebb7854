"""Integer weights: exact, near the softmax, the same for logits that differ by float noise."""

from __future__ import annotations

import numpy as np
import pytest

from ganvas.codec.probabilities import GRID, MARGIN, NUM_SHIFTS, edges, exp_table, integer_weights


def logits_of(batch: int, vocabulary: int, scale: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (batch, vocabulary))


def test_the_table_is_exp_rounded() -> None:
    table = exp_table()
    truth = np.rint(np.exp(-np.arange(len(table)) / GRID) * 2.0**24)
    assert (np.abs(table - truth) <= 0.51).all()
    assert table[0] == 2**24
    assert table[-1] == 1
    assert table.dtype == np.int64


@pytest.mark.parametrize(("vocabulary", "scale"), [(2, 1.0), (512, 2.0), (512, 6.0)])
def test_the_grid_costs_less_than_a_thousandth_of_the_bits(vocabulary: int, scale: float) -> None:
    logits = logits_of(500, vocabulary, scale)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    weights = integer_weights(logits, vocabulary).astype(np.float64)
    log_q = np.log(weights / weights.sum(1, keepdims=True))
    entropy, lost = -(np.exp(log_p) * log_p).sum(), (np.exp(log_p) * (log_p - log_q)).sum()
    assert 0 < lost < 1e-3 * entropy


def test_what_a_level_lacks_has_no_weight_and_what_it_has_has_some() -> None:
    logits = np.array([[0.0, -1e9, -np.inf, 50.0], [1.0, 1.0, 1.0, -np.inf]])
    assert integer_weights(logits, 3).tolist() == [[2**24, 1, 1], [2**24] * 3]


def test_a_row_moved_as_a_whole_by_steps_has_the_same_weights() -> None:
    logits = logits_of(20, 30, 3.0)
    assert (integer_weights(logits, 30) == integer_weights(logits + 7 / GRID, 30)).all()


def test_float_noise_changes_no_weight_at_a_shift_that_met_no_edge() -> None:
    logits = logits_of(300, 512, 4.0)
    logits[0, 0] = 0.5 / GRID  # on the edge of shift 0
    met = edges(logits, 512)
    assert met[0]
    assert not met.all()
    shift = int(met.argmin())
    noise = np.random.default_rng(1).uniform(-1, 1, logits.shape) * MARGIN / GRID * 0.99
    assert (integer_weights(logits, 512, shift) == integer_weights(logits + noise, 512, shift)).all()
    moved = logits.copy()
    moved[0, 0] -= 1e-12
    assert (integer_weights(logits, 512) != integer_weights(moved, 512)).any()


@pytest.mark.parametrize("shift", range(NUM_SHIFTS))
def test_each_shift_names_its_own_edges(shift: int) -> None:
    edge = (5 + 0.5 - shift / NUM_SHIFTS) / GRID
    found = edges(np.array([[edge, 0.3 / GRID / NUM_SHIFTS, -np.inf]]), 3)
    assert np.flatnonzero(found).tolist() == [shift]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_logits_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        integer_weights(np.array([[0.0, bad]]), 2)
    with pytest.raises(ValueError, match="finite"):
        edges(np.array([[-np.inf, -np.inf]]), 2)
    with pytest.raises(ValueError, match="float64"):
        integer_weights(np.zeros((1, 2), dtype=np.float32), 2)

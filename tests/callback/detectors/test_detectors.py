"""What each detector says of made-up histories: of an ill one something, of its healthy twin nothing."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest

from ganvas.callback.detectors.codebook_collapse import CodebookCollapse, reachable
from ganvas.callback.detectors.dead_encoder import DeadEncoder
from ganvas.callback.detectors.discriminator_collapse import DiscriminatorCollapse
from ganvas.callback.detectors.discriminator_overfitting import DiscriminatorOverfitting
from ganvas.callback.detectors.discriminator_wins import DiscriminatorWins
from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.interface import Detector, Symptom
from ganvas.callback.detectors.lagging_average import LaggingAverage
from ganvas.callback.detectors.memorization import Memorization
from ganvas.callback.detectors.mode_collapse import ModeCollapse
from ganvas.callback.detectors.oscillation import Oscillation, swings
from ganvas.callback.detectors.spectral_norm import SpectralNorm
from ganvas.errors import OptionError

WINS = DiscriminatorWins(window=4, probes=2, accuracy=0.98, loss=10.0, gradient=0.02, energy=0.2)
COLLAPSE = DiscriminatorCollapse(window=4, probes=2, accuracy=0.55, energy=0.2)
MODES = ModeCollapse(probes=2, diversity=0.3, distinct=0.1)
SPECTRAL = SpectralNorm(growth=30.0, probes=2, iterations=10)
CODES = CodebookCollapse(probes=2, used=0.1, perplexity=0.05)
DEAD = DeadEncoder(probes=2, unexplained=0.95)
OVERFITS = DiscriminatorOverfitting(probes=2, pairs=0.9)
MEMORY = Memorization(probes=2, novelty=0.3)
LAGS = LaggingAverage(ratio=1.25, excess=0.02)


def history(**series: list[float]) -> History:
    """Of series by tag; ``__`` stands for ``/``."""
    made = History()
    for tag, values in series.items():
        for examples, value in enumerate(values):
            made.add(examples, {tag.replace("__", "/"): value})
    return made


def game(pairs: float, loss: float, norms: list[float], energy: float = 0.3, reports: int = 4) -> History:
    return history(
        accuracy__pairs=[pairs] * reports,
        loss__generator=[loss] * 4,
        gradient_norm__generator=norms,
        health__energy=[energy, 0.9],
    )


FADED = [1.0] * 8 + [0.015] * 4
ILL: dict[str, tuple[Detector, History, float, float, str]] = {
    "wins_by_loss": (WINS, game(0.99, 12.0, [1.0] * 12), 12.0, 10.0, "D wins: it is right about 99.0%"),
    "wins_by_gradient": (WINS, game(0.99, 3.0, FADED), 0.015, 0.02, "fallen to 1.50% of its early level"),
    "collapse": (
        COLLAPSE,
        history(accuracy__pairs=[0.5, 0.52, 0.5, 0.48], health__energy=[0.3, 0.4]),
        0.5,
        0.55,
        "though they differ (energy distance 0.40",
    ),
    "collapse_below_chance": (
        COLLAPSE,
        history(accuracy__pairs=[0.0] * 4, health__energy=[0.9, 0.9]),
        0.0,
        0.55,
        "0.0% of the",
    ),
    "one_mode": (
        MODES,
        history(health__diversity=[1.0, 0.2, 0.1], health__distinct=[0.5] * 3),
        0.1,
        0.3,
        "is 10.0%",
    ),
    "few_points": (
        MODES,
        history(health__diversity=[0.9] * 2, health__distinct=[0.05, 0.04]),
        0.04,
        0.1,
        "nearest",
    ),
    "spectral": (
        SPECTRAL,
        history(
            **{"health/spectral_norm/a": [2.0, 3.0, 4.0], "health/spectral_norm/layers.3": [2.0, 62.0, 80.0]}
        ),
        40.0,
        30.0,
        "layer layers.3 explodes: its largest singular value is 80, 40 times",
    ),
    "few_codes": (
        CODES,
        history(health__codes_used=[0.09, 0.05], health__perplexity=[0.06] * 2),
        0.05,
        0.1,
        "in use",
    ),
    "uneven_codes": (
        CODES,
        history(health__codes_used=[0.5] * 2, health__perplexity=[0.01, 0.02]),
        0.02,
        0.05,
        "plexity",
    ),
    "dead_encoder": (DEAD, history(health__unexplained=[0.2, 0.97, 1.1]), 1.1, 0.95, "is 1.10 of the"),
    "overfits": (
        OVERFITS,
        history(health__overfitting=[0.6, 0.92, 0.95], health__r_t=[0.1, 0.7, 0.8]),
        0.95,
        0.9,
        "in 95.0% of the pairs, 50 % being chance (r_t = 0.80)",
    ),
    "lags": (  # DCGAN, digits, half-life of 10,000 without its ramp: FID 26.3 and 18.2, and 16.6 and 1.9
        LAGS,
        history(health__energy=[0.9, 0.761], health__energy_averaged=[0.9, 1.084]),
        1.084 / 0.761,
        1.25,
        "1.42 times as far from the data as those of the trained weights (energy distance 1.084, raw 0.761)",
    ),
    "lags_behind_good_samples": (
        LAGS,
        history(health__energy=[0.018], health__energy_averaged=[0.699]),
        0.699 / 0.018,
        1.25,
        "38.83 times",
    ),
    "memorizes": (MEMORY, history(health__novelty=[1.1, 0.2, 0.1]), 0.1, 0.3, "is 0.10 times as far"),
}
HEALTHY: dict[str, tuple[Detector, History]] = {
    "no_reports": (WINS, History()),
    "right_but_teaching": (WINS, game(0.99, 3.0, [1.0] * 12)),
    "faded_but_unsure": (WINS, game(0.97, 12.0, FADED)),
    "right_too_shortly": (WINS, game(0.99, 12.0, [1.0] * 12, reports=3)),
    "right_and_near_the_data": (WINS, game(0.99, 12.0, FADED, energy=0.1)),
    "equilibrium": (COLLAPSE, history(accuracy__pairs=[0.5] * 4, health__energy=[0.3, 0.3, 0.01])),
    "apart_and_known": (COLLAPSE, history(accuracy__pairs=[0.56] * 4, health__energy=[0.9] * 2)),
    "apart_before_the_second_measurement": (
        COLLAPSE,
        history(accuracy__pairs=[0.5] * 4, health__energy=[0.9]),
    ),
    "collapsed_once": (MODES, history(health__diversity=[0.1, 0.4], health__distinct=[0.05, 0.2])),
    "grown": (SPECTRAL, history(**{"health/spectral_norm/a": [2.0, 58.0, 59.0]})),
    "grown_once": (SPECTRAL, history(**{"health/spectral_norm/a": [2.0, 58.0, 80.0]})),
    "codes": (CODES, history(health__codes_used=[0.05, 0.11], health__perplexity=[0.01, 0.06])),
    "encoder": (DEAD, history(health__unexplained=[1.1, 0.94])),
    "held_out_as_real": (OVERFITS, history(health__overfitting=[0.95, 0.89], health__r_t=[1.0, 1.0])),
    "no_average": (LAGS, history(health__energy=[0.2, 0.1])),
    "keeps_up": (LAGS, history(health__energy=[0.211], health__energy_averaged=[0.235])),
    "better_than_raw": (LAGS, history(health__energy=[0.046], health__energy_averaged=[0.016])),
    "good_either_way": (LAGS, history(health__energy=[0.005], health__energy_averaged=[0.02])),
    "has_caught_up": (LAGS, history(health__energy=[0.5, 0.2], health__energy_averaged=[0.9, 0.2])),
    "new": (MEMORY, history(health__novelty=[0.1, 0.31])),
}


@pytest.mark.parametrize("case", ILL)
def test_ill(case: str) -> None:
    detector, past, value, threshold, words = ILL[case]
    symptom = detector.look(past)
    assert symptom is not None
    assert symptom.value == pytest.approx(value)
    assert symptom.threshold == threshold
    assert words in symptom.says


@pytest.mark.parametrize("case", HEALTHY)
def test_healthy(case: str) -> None:
    detector, past = HEALTHY[case]
    assert detector.look(past) is None


def test_swings_are_moves_between_turning_points() -> None:
    assert swings([1, 5, 4.5, 6, 2, 2.5, 7], least=2) == [5, 4, 5]
    assert swings([1, 2, 1, 2, 1], least=2) == []
    assert swings([6, 5, 3, 0], least=2) == [6]
    assert swings([0, 3, 0, 3, 0, 3], least=2) == [3] * 5


def test_swings_equal_a_plain_search_for_turning_points() -> None:
    """Alternating extremes, each the farthest before the series comes back by more than ``least``."""
    rng = random.Random(3)
    for _ in range(50):
        values = [rng.uniform(0, 10) for _ in range(30)]
        turns = _turning_points(values, 4.0)
        assert swings(values, least=4.0) == pytest.approx([abs(b - a) for a, b in pairwise(turns)])


def _turning_points(values: list[float], least: float) -> list[float]:
    """From the first move larger than ``least`` on; quadratic, by the definition."""
    for end in range(1, len(values) + 1):
        part = values[:end]
        if max(part) - min(part) > least:
            rises = part[-1] == max(part)
            turns, position = [min(part) if rises else max(part)], end - 1
            break
    else:
        return []
    while True:
        sign = 1 if rises else -1
        best = position
        for index in range(position, len(values)):
            if sign * values[index] > sign * values[best]:
                best = index
            if sign * (values[best] - values[index]) > least:
                turns.append(values[best])
                position, rises = index, not rises
                break
        else:
            return [*turns, values[best]]


def wave(amplitude: float, growth: float, level: float = 1.0, shift: float = 0.0) -> list[float]:
    return [level + amplitude * growth**step * math.sin(step * 1.3 + shift) for step in range(32)]


OSCILLATION = Oscillation(window=32, swing=0.5, swings=4, growth=2.0)


@pytest.mark.parametrize(
    ("generator", "discriminator", "ill"),
    [
        (wave(1.5, 1.07), wave(1.5, 1.07, shift=1.6), True),
        (wave(1.5, 0.95), wave(1.5, 1.07), False),  # one dies away
        (wave(1.5, 1.0), wave(1.5, 1.07), False),  # one stays
        (wave(3.0, 1.05)[:16] + [1.0] * 16, wave(1.5, 1.07), False),  # one has settled
        (wave(1.5, 1.07), wave(0.03, 1.07), False),  # one is calm
        (wave(0.05, 1.05), wave(0.05, 1.07), False),  # small beside their level
        ([0.1 * step for step in range(32)], [3.2 - 0.1 * step for step in range(32)], False),  # trends
        (wave(1.5, 1.07)[:31], wave(1.5, 1.07)[:31], False),  # too short to say
        ([0.0] * 32, [0.0] * 32, False),
    ],
)
def test_oscillation(generator: list[float], discriminator: list[float], ill: bool) -> None:
    symptom = OSCILLATION.look(history(loss__generator=generator, loss__discriminator=discriminator))
    assert (symptom is not None) == ill
    if symptom is not None:
        # half of 32 steps later they are 1.07^16 = 2.95 times as wide
        assert 2.3 < symptom.value < 3.4


def test_noise_about_a_level_does_not_oscillate() -> None:
    rng = random.Random(1)
    for _ in range(20):
        noise = [
            [math.exp(rng.gauss(0, 0.6)) for _ in range(32)] for _ in range(2)
        ]  # swings, but does not grow
        assert OSCILLATION.look(history(loss__generator=noise[0], loss__discriminator=noise[1])) is None


def test_reachable_codes_are_the_mean_of_draws() -> None:
    rng = random.Random(0)
    for codes, vectors in ((64, 16), (8, 100), (1, 5)):
        drawn = [len({rng.randrange(codes) for _ in range(vectors)}) for _ in range(400)]
        assert reachable(codes, vectors) == pytest.approx(sum(drawn) / 400, rel=0.02)


def test_looking_needs_nothing_but_the_history() -> None:
    detector, past, *_ = ILL["wins_by_loss"]
    again = History()
    again.load_state_dict(past.state_dict())
    assert detector.look(again) == detector.look(past) != Symptom(0, 0, "")


REFUSED: dict[Any, list[tuple[str, float]]] = {
    DiscriminatorWins: [
        ("window", 0),
        ("window", 65),
        ("loss", 0),
        ("energy", 0),
        ("probes", 0),
        ("accuracy", 0.5),
        ("gradient", 1.0),
    ],
    DiscriminatorCollapse: [("accuracy", 0.4), ("energy", 0), ("window", 0), ("probes", 0)],
    ModeCollapse: [("diversity", 1.0), ("distinct", 0), ("probes", 0)],
    Oscillation: [("window", 7), ("swing", 0), ("swings", 1), ("growth", 0)],
    SpectralNorm: [("growth", 1), ("iterations", 0), ("probes", 0)],
    CodebookCollapse: [("used", 0), ("perplexity", 1), ("probes", 0)],
    DeadEncoder: [("unexplained", 0), ("probes", 0)],
    DiscriminatorOverfitting: [("pairs", 0.5), ("probes", 0)],
    Memorization: [("novelty", 1), ("probes", 0)],
    LaggingAverage: [("ratio", 1), ("excess", -0.1)],
}


@pytest.mark.parametrize(
    ("kind", "option", "value"), [(kind, *one) for kind, those in REFUSED.items() for one in those]
)
def test_options_are_checked(kind: Any, option: str, value: float) -> None:
    usual: dict[Any, dict[str, Any]] = {
        DiscriminatorWins: {
            "window": 8,
            "probes": 2,
            "accuracy": 0.98,
            "loss": 4.0,
            "gradient": 0.02,
            "energy": 0.2,
        },
        DiscriminatorCollapse: {"window": 8, "probes": 3, "accuracy": 0.55, "energy": 0.2},
        ModeCollapse: {"probes": 2, "diversity": 0.3, "distinct": 0.1},
        Oscillation: {"window": 48, "swing": 0.5, "swings": 4, "growth": 2.0},
        SpectralNorm: {"growth": 30.0, "probes": 1, "iterations": 10},
        CodebookCollapse: {"probes": 2, "used": 0.1, "perplexity": 0.05},
        DeadEncoder: {"probes": 2, "unexplained": 0.95},
        DiscriminatorOverfitting: {"probes": 2, "pairs": 0.9},
        Memorization: {"probes": 2, "novelty": 0.3},
        LaggingAverage: {"ratio": 1.25, "excess": 0.02},
    }
    kind(**usual[kind])
    with pytest.raises(OptionError, match=f"^{option}={value}"):
        kind(**usual[kind] | {option: value})

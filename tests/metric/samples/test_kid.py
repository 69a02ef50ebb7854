"""KID against torchmetrics' estimate and a double loop; its standard error against repeated draws."""

from __future__ import annotations

import pytest
import torch
from observed import metrics, normal, side
from torchmetrics.image.kid import poly_mmd

from ganvas.errors import OptionError
from ganvas.metric.samples.kid import KID

REAL, GENERATED = normal(0, 40, 5), normal(1, 40, 5, scale=1.3, shift=0.2)


def loop(x: torch.Tensor, y: torch.Tensor) -> float:
    def k(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(((a.double() @ b.double()) / len(a) + 1) ** 3)

    def within(z: torch.Tensor) -> float:
        n = len(z)
        return sum(k(z[i], z[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))

    return within(x) + within(y) - 2 * sum(k(a, b) for a in x for b in y) / (len(x) * len(y))


def test_agrees_with_torchmetrics() -> None:
    made = metrics(KID(), real=side(REAL), generated=side(GENERATED))
    expected = poly_mmd(REAL.double(), GENERATED.double()).item()
    assert made["kid"] == pytest.approx(expected, rel=1e-10)
    assert expected > 0.01


def test_uneven_sides_agree_with_a_double_loop_and_their_error_with_leaving_out() -> None:
    real, generated = REAL[:7], GENERATED[:5]
    made = metrics(KID(), 3, real=side(real), generated=side(generated))
    assert made["kid"] == pytest.approx(loop(real, generated), rel=1e-10)
    keep = [[j for j in range(7) if j != i] for i in range(7)]
    parts = [
        torch.tensor([loop(real[rows], generated) for rows in keep]),
        torch.tensor([loop(real, generated[[j for j in range(5) if j != i]]) for i in range(5)]),
    ]
    variance = sum((len(p) - 1) ** 2 / len(p) * p.double().var().item() for p in parts)
    assert made["kid_standard_error"] == pytest.approx(variance**0.5, rel=1e-5)


def test_the_standard_error_is_the_spread_over_repeated_draws() -> None:
    values, errors = [], []
    for seed in range(200):
        made = metrics(
            KID(),
            100,
            real=side(normal(3 * seed, 60, 3)),
            generated=side(normal(3 * seed + 1, 40, 3, scale=1.4, shift=0.4)),
        )
        values.append(made["kid"])
        errors.append(made["kid_standard_error"])
    spread = torch.tensor(values).std().item()
    assert torch.tensor(errors).square().mean().sqrt().item() == pytest.approx(spread, rel=0.2)


def test_equal_distributions_are_at_zero_within_the_error() -> None:
    made = [
        metrics(KID(), 100, real=side(normal(seed, 60, 3)), generated=side(normal(1000 + seed, 50, 3)))
        for seed in range(100)
    ]
    values = torch.tensor([one["kid"] for one in made])
    assert (values < 0).any()
    assert abs(values.mean().item()) < 3 * values.std().item() / 10
    within = sum(abs(one["kid"]) < 2 * one["kid_standard_error"] for one in made)
    assert within >= 90


def test_chunks_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = {"real": side(REAL), "generated": side(GENERATED[:33])}
    whole = metrics(KID(), **sides)
    monkeypatch.setattr("ganvas.functional.neighbours._CPU_PAIRS", 7 * 40)
    assert metrics(KID(), **sides) == pytest.approx(whole, rel=1e-10)


def test_it_needs_three_samples() -> None:
    KID().check_counts({"real": 3, "generated": 3}, num_features=9)
    with pytest.raises(OptionError, match=r"num_samples=2: is too few generated samples for kid.* least 3"):
        KID().check_counts({"real": 3, "generated": 2}, num_features=9)

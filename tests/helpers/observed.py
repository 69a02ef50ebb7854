"""Observations of whole sides, and the metrics of a metric that is shown them in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.metric.interface import Observation, SampleMetric


def normal(seed: int, *shape: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale + shift


def side(features: Tensor, logits: Tensor | None = None, label: Tensor | None = None) -> Observation:
    """Samples numbered in order."""
    return Observation(torch.arange(len(features)), features, logits, label)


def batches(seen: Observation, size: int) -> list[Observation]:
    """The last one may be smaller."""
    return [
        Observation(*(None if value is None else value[start : start + size] for value in seen))
        for start in range(0, len(seen.number), size)
    ]


def show(metric: SampleMetric, sides: dict[str, Observation], size: int = 7) -> None:
    for name, seen in sides.items():
        for batch in batches(seen, size):
            metric.update(batch, side=name)


def metrics(metric: SampleMetric, size: int = 7, **sides: Observation) -> dict[str, float]:
    """Begins the metric, shows it the sides in batches, last ones first, and computes."""
    seen = next(iter(sides.values()))
    metric.begin(seen.features.shape[1], None if seen.logits is None else seen.logits.shape[1])
    for name, whole in sides.items():
        for batch in reversed(batches(whole, size)):
            metric.update(batch, side=name)
    made = metric.compute()
    assert set(made) <= set(metric.directions)
    assert {value.dtype for value in made.values()} == {torch.float64}
    return {name: value.item() for name, value in made.items()}

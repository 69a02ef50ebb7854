"""Every metric that needs no file, on the device against the CPU."""

from __future__ import annotations

from typing import Any

import torch
from comparison import TOLERANCE, compared
from torch import Tensor

from ganvas.cli.compose.experiment import compose
from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.interface import Observation
from ganvas.run.config.build import build
from runs import NUM_CLASSES, Bench

TOLERANCE_OF_METRICS = 1e-2  # of max(|value|, 1): a neighbour at equal distance can be another one
_BATCH = 8


def features(bench: Bench, option: str) -> dict[str, Any]:
    """An extractor on the device; left out where it needs a file or a package that is not there."""
    refused = ""
    for data, shape in ((bench.data(), [3, bench.side, bench.side]), (["data=toy"], [2])):
        node = dict(compose([*data, f"metric/features={option}"]).config["metric"]["features"])
        if "mirrors" in node:
            node["mirrors"] = []  # no network
        try:
            extractor = build(node, "metric.features")
            extractor.check(DataFacts(shape, NUM_CLASSES, "0" * 64, "check"))
        except (OptionError, ImportError) as error:
            refused = refused or str(error)
            continue
        x = torch.randn(_BATCH, *shape, generator=torch.Generator().manual_seed(0)).tanh()
        reference = _present(extractor(x)._asdict())
        found = _present(extractor(x.to(bench.device))._asdict())
        return compared(reference, found, TOLERANCE)
    return {"skipped": refused}


def _present(tensors: dict[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in tensors.items() if value is not None}


def samples(bench: Bench, option: str) -> dict[str, Any]:
    nodes = compose([f"metric/samples={option}"]).config["metric"]["samples"]
    results = [
        _metric_on(build(node, f"metric.samples.{name}"), bench.device, 128 if bench.small else 512)
        for name, node in nodes.items()
    ]
    return max(results, key=lambda result: result["worst"])


def _metric_on(metric: Any, device: str, count: int) -> dict[str, Any]:
    found = []
    metric.begin(16, NUM_CLASSES)
    for place in ("cpu", device):
        generator = torch.Generator().manual_seed(0)
        metric.reset()
        metric.to(place)
        for side in metric.sides:
            seen = Observation(
                number=torch.arange(count),
                features=torch.randn(count, 16, generator=generator) + (side == "generated") * 0.2,
                logits=torch.randn(count, NUM_CLASSES, generator=generator),
                label=torch.arange(count) % NUM_CLASSES,
            )
            for rows in torch.arange(count).split(100):
                part = Observation(*(value[rows].to(place) for value in seen))  # type: ignore[index]
                metric.update(part, side=side)
        found.append({name: float(value) for name, value in metric.compute().items()})
    reference, other = found
    where = max(reference, key=lambda name: abs(reference[name] - other[name]))
    worst = abs(reference[where] - other[where]) / max(abs(reference[where]), 1.0)
    return {"worst": worst, "where": where, "tolerance": TOLERANCE_OF_METRICS}

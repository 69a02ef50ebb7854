"""Two ranks give the figures of one process, with uneven last batches and a rank without any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

HELPERS = Path(__file__).parents[2] / "helpers"

# Both the ranks and this process run it. Batches of 8 in turns: 21 real samples are batches of 8, 8, 5 and
# the generated ones of the second round are one batch, so that rank 1 has none.
SOURCE = f"""
import sys
sys.path.insert(0, {str(HELPERS)!r})
import torch
from observed import batches, normal, side
from ganvas.metric.samples.classifier_score import ClassifierScore
from ganvas.metric.samples.density_coverage import DensityCoverage
from ganvas.metric.samples.diversity import Diversity
from ganvas.metric.samples.fid import FID
from ganvas.metric.samples.intra_class_fid import IntraClassFID
from ganvas.metric.samples.kid import KID
from ganvas.metric.samples.memorization import Memorization
from ganvas.metric.samples.mode_coverage import ModeCoverage
from ganvas.metric.samples.precision_recall import PrecisionRecall

def seen(seed, count, scale):
    return side(normal(seed, count, 4, scale=scale), normal(seed + 50, count, 3), torch.arange(count) % 2)

sides = {{"real": seen(0, 21, 1.0), "generated": seen(1, 19, 0.8), "train": seen(2, 30, 1.0)}}
again = {{"generated": seen(3, 8, 0.9)}}
result = {{}}
for metric in (FID(), KID(), PrecisionRecall(), DensityCoverage(), Diversity(), ClassifierScore(2),
               IntraClassFID(), ModeCoverage(), Memorization()):
    metric.begin(4, 3)
    for turn, shown in (("first", sides), ("second", again)):
        for name in metric.sides:
            for number, batch in enumerate(batches(shown[name], 8) if name in shown else []):
                if number % world == rank:
                    metric.update(batch, side=name)
        for figure, value in metric.compute().items():
            result[turn + " " + figure] = float(value)
        metric.forget("generated")
"""


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_two_ranks_equal_one(two_ranks: Callable[[str], list[Any]]) -> None:
    alone: dict[str, Any] = {"world": 1, "rank": 0}
    exec(compile(SOURCE, "one process", "exec"), alone)
    first, second = two_ranks("world = 2" + SOURCE)
    assert first == second == pytest.approx(alone["result"], rel=1e-12)
    assert len(first) == 32
    assert first["first fid"] != pytest.approx(first["second fid"], rel=0.01)
    assert torch.tensor(list(first.values())).isfinite().all()

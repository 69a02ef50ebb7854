"""Two ranks give the metrics of one process, with uneven last batches and a rank without any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

HELPERS = Path(__file__).parents[1] / "helpers"

# Both the ranks and this process run it. Batches of 8 in turns: 21 real samples are batches of 8, 8, 5 and
# the generated ones of the second round are one batch, so that rank 1 has none.
SOURCE = f"""
import sys
sys.path.insert(0, {str(HELPERS)!r})
import torch
from observed import batches, normal, side
from ganvas.metric.samples.class_accuracy import ClassAccuracy
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
               IntraClassFID(), ClassAccuracy(), ModeCoverage(), Memorization()):
    metric.begin(4, 3)
    for turn, shown in (("first", sides), ("second", again)):
        for name in metric.sides:
            for number, batch in enumerate(batches(shown[name], 8) if name in shown else []):
                if number % world == rank:
                    metric.update(batch, side=name)
        for name, value in metric.compute().items():
            result[turn + " " + name] = float(value)
        metric.forget("generated")

def images(count, step):  # one batch of them: rank 1 has none
    return torch.arange(float(count * 176 * 176)).mul(step).sin().view(count, 1, 176, 176)

from ganvas.functional.batch import DataFacts
from ganvas.metric.codebook import CodeUsage
from ganvas.metric.perceptual.lpips import LPIPS
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.modality.guess import modality_of

quality = ReconstructionQuality(modality_of([1, 176, 176]), [1, 176, 176])
usage, lpips = CodeUsage([9]), LPIPS(weights=weights)
lpips.check(DataFacts(sample_shape=[1, 176, 176], num_classes=None, train_sha256="", name=""))
x, y = images(3, 0.01), images(3, 0.011)
for number, (original, reconstruction) in enumerate(zip(x.split(2), y.split(2))):
    if number % world == rank:
        quality.update(original=original, reconstruction=reconstruction)
        usage.update([(original.flatten()[:50] * 4 + 4).long()])
    if number == 0 and rank == 0:
        lpips.update(original=original[..., :32, :32], reconstruction=reconstruction[..., :32, :32])
for metric in (usage, quality, lpips):
    for name, value in metric.compute().items():
        result[name] = float(value)
"""


def random_alexnet() -> dict[str, torch.Tensor]:
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3)}
    shapes[10] = (256, 256, 3, 3)
    made = {}
    for number, shape in shapes.items():
        generator = torch.Generator().manual_seed(number)
        made[f"features.{number}.weight"] = torch.randn(shape, generator=generator) * 0.05
        made[f"features.{number}.bias"] = torch.randn(shape[0], generator=generator) * 0.05
    return made


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_two_ranks_equal_one(two_ranks: Callable[[str], list[Any]], tmp_path: Path) -> None:
    weights = tmp_path / "alex.pth"
    torch.save(random_alexnet(), weights)
    alone: dict[str, Any] = {"world": 1, "rank": 0, "weights": str(weights)}
    exec(compile(SOURCE, "one process", "exec"), alone)
    first, second = two_ranks(f"world, weights = 2, {str(weights)!r}" + SOURCE)
    assert first == second == pytest.approx(alone["result"], rel=1e-12)
    assert len(first) == 32 + 4 + 5 + 2 + 1
    assert first["first fid"] != pytest.approx(first["second fid"], rel=0.01)
    assert torch.tensor(list(first.values())).isfinite().all()

"""Bits of a prior over a split's codes, beside what the tokenizer reconstructs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from digit_tokenizers import codes
from torch import Tensor, nn

from ganvas.metric.evaluate import EvaluationResult, joined
from ganvas.metric.likelihood_evaluation import LikelihoodEvaluation
from ganvas.metric.reconstruction_evaluation import ReconstructionEvaluation


class Says(nn.Module):
    """Bits of a sample: its first code and its number; half of it by raw weights."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.tokenizer, self.ema, self.weight = tokenizer, object(), nn.Parameter(torch.zeros(1))

    def bits(self, codes: Tensor, label: Tensor | None, *, start: int = 0, ema: bool = True) -> Tensor:
        assert label is not None
        bits = codes[:, 0] + start + torch.arange(len(codes)) + 100 * label
        return bits if ema else bits / 2

    def describe_bits(self, bits: float) -> dict[str, float]:
        return {"bits_per_image": bits, "bits_per_dim": bits / 64, "nats_per_code": bits * math.log(2) / 4}


@pytest.mark.parametrize("batch_size", [7, 1000])
@pytest.mark.parametrize("ema", [True, False])
def test_bits_are_means_over_the_split_and_psnr_is_of_the_tokenizer(batch_size: int, ema: bool) -> None:
    data = codes("grid")
    data.prepare()
    module = Says(data.tokenizer)
    found = LikelihoodEvaluation(batch_size=batch_size, split="val", limit=40, ema=ema)(module, data)
    whole = next(iter(data.codes("val", 40)))
    expected = float((whole.x[:, 0] + torch.arange(40) + 100 * whole.label).double().mean())  # type: ignore[operator]
    assert found.metrics["bits_per_image"] == pytest.approx(expected / (1 if ema else 2))
    plain = ReconstructionEvaluation(features=None, batch_size=16, split="val", limit=40)
    psnr = plain(data.tokenizer.recipe, data).metrics["psnr"]
    assert found.metrics["psnr"] == pytest.approx(psnr, abs=1e-4)
    assert found.better["bits_per_dim"] == "min"
    assert found.protocol["weights"] == ("ema" if ema else "raw")
    own: Any = found.protocol["metrics"]
    assert {name for part in own.values() for name in part["metrics"]} == set(found.metrics)
    assert own["bits"]["tokenizer"] == "0" * 64


def test_results_are_joined() -> None:
    one = EvaluationResult({"a": 1.0}, {"weights": "ema", "metrics": {"x": {"metrics": ["a"]}}}, {"a": "min"})
    two = EvaluationResult({"b": 2.0}, {"seed": 1, "metrics": {"y": {"metrics": ["b"]}}}, {"b": "max"})
    both = joined(one, None, two)
    assert both is not None
    assert both.metrics == {"a": 1.0, "b": 2.0}
    assert both.better == {"a": "min", "b": "max"}
    assert both.protocol == {
        "weights": "ema",
        "seed": 1,
        "metrics": {"x": {"metrics": ["a"]}, "y": {"metrics": ["b"]}},
    }
    assert joined(None, None) is None

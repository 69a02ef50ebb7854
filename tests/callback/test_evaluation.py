"""When metrics are computed, and where they go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ganvas.callback.charts import Charts
from ganvas.callback.evaluation import Evaluation, best_metrics
from ganvas.errors import OptionError
from ganvas.metric.features.pixels import Pixels
from ganvas.metric.interface import Features
from ganvas.metric.reconstruction_evaluation import ReconstructionEvaluation
from ganvas.metric.sample_evaluation import SampleEvaluation
from ganvas.metric.samples.diversity import Diversity
from ganvas.metric.samples.fid import FID


def evaluation(folder: Path, **options: Any) -> Evaluation:
    settings: dict[str, Any] = {
        "every_examples": 0,
        "num_samples": 9,
        "features": Pixels(2),
        "metrics": {"fid": FID(), "off": None},
        "perceptual": None,
        "split": "test",
        "batch_size": 5,
        "seed": 1,
    }
    return Evaluation(run_dir=str(folder), **settings | options)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]


def test_a_gan_is_evaluated_at_the_end(
    tmp_path: Path,
    fit: Callable[..., Any],
    sampler: Callable[..., Any],
    data: Callable[..., Any],
    events: Callable[[], Any],
) -> None:
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path)], batches=3)
    evaluate = SampleEvaluation(
        features=Pixels(2), metrics={"fid": FID()}, num_samples=9, seed=1, batch_size=5, split="test"
    )
    expected, protocol, better = evaluate(recipe, data((1, 8, 8)))
    assert recipe.metrics == pytest.approx(expected)
    (row,) = rows(tmp_path)
    assert row == {
        "examples": 12,
        "source": "run",
        "metrics": recipe.metrics,
        "protocol": protocol,
        "better": better,
    }
    assert better == {"fid": "min"}
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) == {"examples": 12, "batch": 3, "evaluation/fid": recipe.metrics["fid"]}
    (event,) = events().Scalars("evaluation/fid")
    assert (event.step, event.value) == (12, pytest.approx(expected["fid"], rel=1e-6))


@pytest.mark.parametrize(("every", "points"), [(0, []), (8, [8, 16])])
def test_one_evaluation_is_no_curve(
    every: int,
    points: list[int],
    tmp_path: Path,
    fit: Callable[..., Any],
    sampler: Callable[..., Any],
    events: Callable[[], Any],
) -> None:
    """Where Charts shows the results, TensorBoard has no chart of one dot; metrics.jsonl has its row."""
    (tmp_path / "run.yaml").write_text("config: {model: {}}\n")
    callbacks = [evaluation(tmp_path, every_examples=every), Charts(run_dir=str(tmp_path))]
    fit(sampler((1, 8, 8)), callbacks, batches=4)
    tags = events().Tags()
    shown = (
        [e.step for e in events().Scalars("evaluation/fid")] if "evaluation/fid" in tags["scalars"] else []
    )
    assert shown == points
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["examples"] for line in lines] == (points or [16])
    assert "results/text_summary" in tags["tensors"]


def test_a_vqvae_is_evaluated_now_and_then_and_once_at_the_end(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any], data: Callable[..., Any]
) -> None:
    recipe = autoencoder()
    fit(recipe, [evaluation(tmp_path, every_examples=8, features=None, split="val")], batches=4)
    assert [row["examples"] for row in rows(tmp_path)] == [8, 16]  # 16 is also the end
    evaluate = ReconstructionEvaluation(features=None, split="val", batch_size=5)
    expected, protocol, _ = evaluate(recipe, data((1, 8, 8)))
    assert recipe.metrics == expected
    assert rows(tmp_path)[-1]["protocol"] == protocol
    assert "rfid" not in expected


def test_metrics_change_with_the_weights_between_two_evaluations(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    """The real side is kept, the generated one made anew."""
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path, every_examples=4)], batches=3)
    distances = [row["metrics"]["fid"] for row in rows(tmp_path)]
    assert len(set(distances)) == 3
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    fit(other := sampler((1, 8, 8)), [evaluation(fresh)], batches=3)
    assert other.metrics["fid"] == pytest.approx(distances[-1], rel=1e-9)


def test_a_stopped_run_is_not_evaluated(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], interrupter: Callable[..., Any]
) -> None:
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path), interrupter(2)], batches=4, max_examples=16)
    assert recipe.examples_seen < 16
    assert recipe.metrics == {}
    assert not (tmp_path / "evaluations.jsonl").exists()


def test_a_run_that_ended_by_itself_is_evaluated(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], interrupter: Callable[..., Any]
) -> None:
    """A time limit stops a run as a signal does, but asks for no continuation."""
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path), interrupter(2, by_signal=False)], batches=4, max_examples=16)
    assert recipe.examples_seen < 16
    assert set(recipe.metrics) == {"fid"}


def test_a_run_that_reached_its_budget_is_finished_though_it_was_asked_to_stop(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], interrupter: Callable[..., Any]
) -> None:
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path), interrupter(2)], batches=100, max_examples=8)
    assert recipe.examples_seen == 8
    assert set(recipe.metrics) == {"fid"}


def test_evaluation_does_not_change_training(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    class Noise(pl.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            seen.append(torch.rand(1).item())

    seen: list[float] = []
    draws = []
    for every in (0, 4):
        pl.seed_everything(5, verbose=False)
        seen.clear()
        fit(sampler((1, 8, 8)), [evaluation(tmp_path, every_examples=every), Noise()], batches=4)
        draws.append(list(seen))
    assert draws[0] == draws[1]


@pytest.mark.parametrize(
    ("option", "value"),
    [("every_examples", -1), ("num_samples", 1), ("split", "validation"), ("batch_size", 0)],
)
def test_options_are_checked(tmp_path: Path, option: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        evaluation(tmp_path, **{option: value})


def row(examples: int, value: object, source: str = "run") -> dict[str, Any]:
    metrics = {"fid": value, "psnr": value, "bits": value}
    return {
        "examples": examples,
        "source": source,
        "metrics": metrics,
        "better": {"fid": "min", "psnr": "max"},
    }


def test_the_best_of_a_run_goes_by_each_metrics_direction() -> None:
    rows = [
        row(1, 5.0),
        row(2, 3.0),
        row(3, 9.0),
        row(4, 9.0),
        row(5, None),
        row(6, 1.0, "evaluate"),
        "x",
        {},
    ]
    assert best_metrics(rows) == {
        "fid": {"value": 3.0, "examples": 2},
        "psnr": {"value": 9.0, "examples": 3},
    }
    assert best_metrics([]) == {}


def test_a_metric_that_is_not_finite_is_null_in_the_file(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    recipe = sampler((1, 8, 8))
    recipe.sample = lambda num, *args, **options: torch.full((num, 1, 8, 8), torch.nan)
    fit(recipe, [evaluation(tmp_path)], batches=3)
    assert [row["metrics"] for row in rows(tmp_path)] == [{"fid": None}]


def test_metrics_that_the_samples_do_not_allow_end_no_run(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    """Only the features tell that all real samples are alike."""
    recipe = sampler((1, 8, 8))
    metric = Diversity()
    options = {"metrics": {"diversity": metric}, "features": Alike()}
    state = fit(recipe, [evaluation(tmp_path, **options)], batches=3)
    assert recipe.examples_seen == 12
    assert recipe.metrics == {}
    (event,) = state.write_errors.events
    assert event["what"] == "the metrics"
    assert "all have the same features" in str(event["error"])


class Alike(Pixels):
    """Sees the same in everything."""

    def __call__(self, x: torch.Tensor) -> Features:
        return Features(torch.ones(len(x), 2))

"""When figures are computed, and where they go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from ganvas.callback.evaluation import Evaluation
from ganvas.errors import OptionError
from ganvas.metric.evaluate import evaluate_reconstruction, evaluate_samples
from ganvas.metric.features.pixels import Pixels


def evaluation(folder: Path, **options: Any) -> Evaluation:
    settings: dict[str, Any] = {
        "every_images": 0,
        "num_samples": 9,
        "features": Pixels(2),
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
    expected, protocol = evaluate_samples(
        recipe, data((1, 8, 8)).batches("test", 5), Pixels(2), num_samples=9, seed=1, batch_size=5
    )
    assert recipe.figures == pytest.approx(expected)
    (row,) = rows(tmp_path)
    assert row == {"images": 12, "source": "run", "figures": recipe.figures, "protocol": protocol}
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) == {"images": 12, "batch": 3, "evaluation/fid": recipe.figures["fid"]}
    (event,) = events().Scalars("evaluation/fid")
    assert (event.step, event.value) == (12, pytest.approx(expected["fid"], rel=1e-6))


def test_a_vqvae_is_evaluated_now_and_then_and_once_at_the_end(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any], data: Callable[..., Any]
) -> None:
    recipe = autoencoder()
    fit(recipe, [evaluation(tmp_path, every_images=8, features=None, split="val")], batches=4)
    assert [row["images"] for row in rows(tmp_path)] == [8, 16]  # 16 is also the end
    expected, protocol = evaluate_reconstruction(
        recipe, data((1, 8, 8)).batches("val", 5), split="val", features=None
    )
    assert recipe.figures == expected
    assert rows(tmp_path)[-1]["protocol"] == protocol
    assert "rfid" not in expected


def test_figures_change_with_the_weights_between_two_evaluations(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    """The real side is kept, the generated one made anew."""
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path, every_images=4)], batches=3)
    distances = [row["figures"]["fid"] for row in rows(tmp_path)]
    assert len(set(distances)) == 3
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    fit(other := sampler((1, 8, 8)), [evaluation(fresh)], batches=3)
    assert other.figures["fid"] == pytest.approx(distances[-1], rel=1e-9)


def test_a_stopped_run_is_not_evaluated(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], interrupter: Callable[..., Any]
) -> None:
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path), interrupter(2)], batches=4, max_images=16)
    assert recipe.images_seen < 16
    assert recipe.figures == {}
    assert not (tmp_path / "evaluations.jsonl").exists()


def test_a_run_that_ended_by_itself_is_evaluated(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], interrupter: Callable[..., Any]
) -> None:
    """A time limit stops a run as a signal does, but asks for no continuation."""
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path), interrupter(2, by_signal=False)], batches=4, max_images=16)
    assert recipe.images_seen < 16
    assert set(recipe.figures) == {"fid"}


def test_a_run_that_reached_its_budget_is_finished_though_it_was_asked_to_stop(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], interrupter: Callable[..., Any]
) -> None:
    recipe = sampler((1, 8, 8))
    fit(recipe, [evaluation(tmp_path), interrupter(2)], batches=100, max_images=8)
    assert recipe.images_seen == 8
    assert set(recipe.figures) == {"fid"}


def test_evaluation_does_not_change_training(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    class Noise(pl.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            import torch

            seen.append(torch.rand(1).item())

    seen: list[float] = []
    draws = []
    for every in (0, 4):
        pl.seed_everything(5, verbose=False)
        seen.clear()
        fit(sampler((1, 8, 8)), [evaluation(tmp_path, every_images=every), Noise()], batches=4)
        draws.append(list(seen))
    assert draws[0] == draws[1]


@pytest.mark.parametrize(
    ("option", "value"),
    [("every_images", -1), ("num_samples", 1), ("split", "validation"), ("batch_size", 0)],
)
def test_options_are_checked(tmp_path: Path, option: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        evaluation(tmp_path, **{option: value})

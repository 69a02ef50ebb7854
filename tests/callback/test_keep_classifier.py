"""What a finished classifier leaves: its accuracy, its weights, and the better one in the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.callback.keep_classifier import KeepClassifier
from ganvas.callback.run_state import RunState, give_state
from ganvas.errors import OptionError
from ganvas.functional.batch import Batch, DataFacts
from ganvas.metric.classifiers import place_in_cache, read_classifier
from ganvas.model.network.interface import Classified


class Recipe(nn.Module):
    """Tells class 1 where the sample is above its threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.network = nn.Linear(1, 2)
        self.threshold, self.examples_seen, self.seed = threshold, 64, 5
        self.metrics: dict[str, float] = {}

    def classify(self, x: Tensor) -> Classified:
        above = (x[:, 0] > self.threshold).float()
        return Classified(torch.stack([0.5 - above, above - 0.5], 1), x)


class Data:
    """Eleven samples of 0 .. 10, of class 1 from 4 on."""

    def batches(self, name: str, batch_size: int) -> Any:
        x = torch.arange(11.0)[:, None] if name == "val" else torch.empty(0, 1)
        for start in range(0, len(x), batch_size):
            rows = x[start : start + batch_size]
            yield Batch(rows, (rows[:, 0] >= 4).long())

    def num_samples(self, name: str) -> int:
        return {"train": 30, "val": 11}[name]

    def facts(self) -> DataFacts:
        return DataFacts([1], 2, "abc", "Data")


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))

    def run(threshold: float, *, split: str = "val", finished: bool = True) -> Recipe:
        recipe = Recipe(threshold)
        (tmp_path / "run").mkdir(exist_ok=True)
        trainer: Any = SimpleNamespace(
            max_steps=-1,
            global_step=2,
            interrupted=not finished,
            fast_dev_run=False,
            datamodule=Data(),
            is_global_zero=True,
            loggers=[],
        )
        callback = KeepClassifier(run_dir=str(tmp_path / "run"), split=split, batch_size=4)
        give_state([callback], RunState(max_examples=64 if finished else 128))
        callback.on_train_end(trainer, recipe)
        return recipe

    return run


def cached(recipe: Recipe) -> Path:
    return place_in_cache(recipe.network, Data().facts())


def test_accuracy_and_weights_are_kept(end: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = end(5.5)  # 4 and 5 are told wrongly
    assert recipe.metrics == {"accuracy": pytest.approx(9 / 11)}
    about = read_classifier(cached(recipe)).about
    assert (about["examples_seen"], about["train_samples"]) == (64, 30)
    (row,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(row)["evaluation/accuracy"] == pytest.approx(9 / 11)
    for path in (cached(recipe), tmp_path / "run" / "classifier" / "weights.safetensors"):
        kept = read_classifier(path)
        assert torch.equal(kept.tensors["weight"], recipe.network.weight)
        assert kept.about["accuracy"] == pytest.approx(9 / 11)
        facts = ("abc", 2, [1], "val", 64, 5)
        names = ("train_sha256", "num_classes", "sample_shape", "split", "examples_seen", "seed")
        assert tuple(kept.about[name] for name in names) == facts


def test_the_more_accurate_one_stays_in_the_cache(end: Callable[..., Recipe], tmp_path: Path) -> None:
    for threshold, accuracy in ((6.5, 8 / 11), (3.5, 1.0), (5.5, 1.0)):
        recipe = end(threshold)
        assert read_classifier(cached(recipe)).about["accuracy"] == pytest.approx(accuracy)
    own = read_classifier(tmp_path / "run" / "classifier" / "weights.safetensors")
    assert own.about["accuracy"] == pytest.approx(9 / 11)
    cached(recipe).write_bytes(b"damaged")
    assert read_classifier(cached(end(6.5))).about["accuracy"] == pytest.approx(8 / 11)


def test_an_empty_split_measures_nothing(end: Callable[..., Recipe]) -> None:
    recipe = end(3.5, split="test")
    assert recipe.metrics == {}
    assert read_classifier(cached(recipe)).about["accuracy"] is None


def test_one_of_a_share_of_the_data_is_not_that_of_the_data(
    end: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Data, "facts", lambda _: DataFacts([1], 2, "abc", "Data", train_fraction=0.1))
    end(3.5)
    assert not (tmp_path / "cache").exists()
    own = read_classifier(tmp_path / "run" / "classifier" / "weights.safetensors")
    assert own.about["accuracy"] == 1.0


def test_a_run_that_goes_on_keeps_nothing(end: Callable[..., Recipe], tmp_path: Path) -> None:
    assert end(3.5, finished=False).metrics == {}
    assert not (tmp_path / "cache").exists()
    assert not list((tmp_path / "run").iterdir())


def test_options_out_of_range() -> None:
    with pytest.raises(OptionError, match="split=all"):
        KeepClassifier(run_dir="x", split="all", batch_size=4)
    with pytest.raises(OptionError, match="batch_size=0"):
        KeepClassifier(run_dir="x", split="val", batch_size=0)


def test_two_ranks_measure_as_one(two_ranks: Callable[[str], list[Any]]) -> None:
    counts = two_ranks(
        """
        from ganvas.callback.keep_classifier import KeepClassifier
        from ganvas.functional.batch import Batch
        from ganvas.model.network.interface import Classified

        class Recipe(torch.nn.Module):
            def classify(self, x):
                above = (x[:, 0] > 5.5).float()
                return Classified(torch.stack([0.5 - above, above - 0.5], 1), x)

        class Data:
            def batches(self, name, batch_size):
                for rows in torch.arange(11.0)[:, None].split(batch_size):
                    yield Batch(rows, (rows[:, 0] >= 4).long())

        callback = KeepClassifier(run_dir="x", split="val", batch_size=4)  # 4, 4 and 3 samples
        result = callback._accuracy(Recipe(), Data())
        """
    )
    assert counts == [pytest.approx(9 / 11)] * 2

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch, DataFacts
from ganvas.functional.frechet import frechet_distance
from ganvas.functional.random import hash64
from ganvas.metric import sample_evaluation
from ganvas.metric.evaluate import evaluating
from ganvas.metric.features.pixels import Pixels
from ganvas.metric.interface import Features, Observation, SampleMetric
from ganvas.metric.sample_evaluation import SampleEvaluation
from ganvas.metric.samples.fid import FID
from ganvas.modality.guess import modality_of
from ganvas.modality.interface import Modality


class Points(nn.Module):
    """Sample i is a normal draw of (seed, i), scaled; the averaged weights scale more."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.ema: nn.Module | None = nn.Identity()
        self.frozen = nn.Dropout().eval()
        self.calls: list[tuple[int, int]] = []

    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        assert not self.training
        torch.rand(1)  # a part that draws from the global state
        self.calls.append((start, num))
        rows = [
            torch.randn(2, generator=torch.Generator().manual_seed(hash64(seed, i)))
            for i in range(start, start + num)
        ]
        points = torch.stack(rows) * self.scale * (2.0 if ema else 1.0)
        return points if truncation is None else points.clamp(-truncation, truncation)


class Data:
    """60 real points, 100 training points, no labels."""

    def __init__(self, count: int = 60) -> None:
        real = torch.randn(count, 2, generator=torch.Generator().manual_seed(9)) + torch.tensor([1.0, -1.0])
        self.parts = {"test": real, "train": torch.randn(100, 2, generator=torch.Generator().manual_seed(8))}
        self.read: list[str] = []

    @property
    def modality(self) -> Modality:
        return modality_of(self.parts["train"].shape[1:])

    def facts(self) -> DataFacts:
        return DataFacts([2], None, "0" * 64, "Data")

    def num_samples(self, name: str) -> int:
        return len(self.parts[name])

    def batches(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        self.read.append(name)
        for part in self.parts[name][:limit].split(batch_size):
            yield Batch(part, None)

    wholes = batches

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        return {"split": name, "samples": len(self.parts[name][:limit])}


def evaluation(**options: Any) -> SampleEvaluation:
    settings: dict[str, Any] = {
        "features": Pixels(8),
        "metrics": {"fid": FID()},
        "num_samples": 50,
        "seed": 3,
        "batch_size": 16,
        "split": "test",
    }
    return SampleEvaluation(**settings | options)


def expected(samples: Tensor, real: Tensor) -> float:
    return frechet_distance(
        mean_1=real.double().mean(0),
        covariance_1=torch.cov(real.double().T),
        mean_2=samples.double().mean(0),
        covariance_2=torch.cov(samples.double().T),
    ).item()


@pytest.mark.parametrize("ema", [True, False])
@pytest.mark.parametrize("truncation", [None, 0.4])
@pytest.mark.parametrize("limit", [None, 30])
def test_the_metric_and_its_protocol(ema: bool, truncation: float | None, limit: int | None) -> None:
    module, data = Points(), Data()
    made = evaluation(ema=ema, truncation=truncation, limit=limit)(module, data)
    samples = module.eval().sample(50, 3, ema=ema, truncation=truncation).detach()
    assert made.metrics == {"fid": pytest.approx(expected(samples, data.parts["test"][:limit]), rel=1e-6)}
    assert made.better == {"fid": "min"}
    assert made.protocol["weights"] == ("ema" if ema else "raw")
    assert made.protocol["data"] == {"split": "test", "samples": limit or 60}
    assert (made.protocol["generated_samples"], made.protocol["seed"]) == (50, 3)
    assert made.protocol["truncation"] == truncation
    assert made.protocol["features"] == Pixels(8).protocol
    assert made.protocol["metrics"]["fid"]["metrics"] == ["fid"]
    assert "train" not in made.protocol["metrics"]["fid"]


def test_the_seed_counts_and_the_batch_size_does_not() -> None:
    def fid(**options: Any) -> float:
        return evaluation(**options)(Points(), Data()).metrics["fid"]

    assert fid(batch_size=16) == pytest.approx(fid(batch_size=7), rel=1e-9)
    assert fid(seed=3) != pytest.approx(fid(seed=4), rel=1e-3)


def test_without_an_average_the_weights_are_raw() -> None:
    module = Points()
    module.ema = None
    assert evaluation()(module, Data()).protocol["weights"] == "raw"


def test_training_is_left_as_it_was() -> None:
    module = Points().train()
    module.frozen.eval()
    before = torch.get_rng_state()
    evaluation()(module, Data())
    assert torch.equal(torch.get_rng_state(), before)
    assert module.training
    assert not module.frozen.training
    with pytest.raises(RuntimeError, match="stop"), evaluating(module):
        raise RuntimeError("stop")
    assert module.training


def test_the_real_side_is_read_once() -> None:
    module, data, evaluate = Points(), Data(), evaluation()
    values = []
    for scale in (0.5, 1.0, 0.5):
        module.scale.data.fill_(scale)
        values.append(evaluate(module, data).metrics["fid"])
    assert data.read == ["train", "test"]  # the first to learn the shapes
    assert values[0] == values[2] != values[1]


def test_ranks_share_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sample is made by exactly one of three ranks."""
    starts = []
    for rank in range(3):
        module = Points()
        monkeypatch.setattr(sample_evaluation, "is_mine", lambda number, rank=rank: number % 3 == rank)
        evaluation(batch_size=10)(module, Data())
        starts += module.calls
    assert sorted(starts) == [(0, 10), (10, 10), (20, 10), (30, 10), (40, 10)]


class Record(SampleMetric):
    """Notes what it is shown, ordered by number."""

    directions = {"copies": True}
    sides = ("real", "generated", "train")
    needs = ""

    def begin(self, num_features: int, num_logits: int | None) -> None:
        for side in self.sides:
            self.keep_rows(f"{side}_rows", num_features)

    def update(self, seen: Observation, *, side: str) -> None:
        self.add_rows(f"{side}_rows", seen.number, seen.features)

    def compute(self) -> dict[str, Tensor]:
        return {"copies": torch.tensor(float(len(self.rows("train_rows"))))}


def test_a_metric_sees_the_sides_that_it_asks_for() -> None:
    data, metric, module = Data(), Record(), Points()
    made = evaluation(metrics={"record": metric, "fid": FID()})(module, data)
    assert torch.equal(metric.rows("real_rows"), data.parts["test"])
    assert torch.equal(metric.rows("train_rows"), data.parts["train"])
    torch.testing.assert_close(metric.rows("generated_rows"), module.eval().sample(50, 3).detach())
    assert made.metrics["copies"] == 100
    assert made.better == {"copies": "max", "fid": "min"}
    assert made.protocol["metrics"]["record"]["train"] == {"split": "train", "samples": 100}


def test_two_ranks_see_what_one_sees(two_ranks: Any) -> None:
    """Rank 1 has no batch of the real side's single one; rows come in the order of their numbers."""
    source = """
        import sys
        sys.path.insert(0, {folder!r})
        from test_sample_evaluation import Data, Points, Record, evaluation, FID
        metric = Record()
        evaluate = evaluation(metrics={{"record": metric, "fid": FID()}}, batch_size=60, num_samples=150)
        made = evaluate(Points(), Data())
        metric.sync()
        result = (made.metrics, metric.rows("generated_rows"), metric.rows("real_rows"))
    """
    from pathlib import Path

    metric = Record()
    evaluate = evaluation(metrics={"record": metric, "fid": FID()}, batch_size=60, num_samples=150)
    made = evaluate(Points(), Data())
    for metrics, generated, real in two_ranks(source.format(folder=str(Path(__file__).parent))):
        assert metrics == pytest.approx(made.metrics, rel=1e-9)
        assert torch.equal(generated, metric.rows("generated_rows"))
        assert torch.equal(real, metric.rows("real_rows"))


def test_samples_that_are_not_finite_have_no_metric() -> None:
    module = Points()
    module.scale.data.fill_(torch.nan)
    metrics = evaluation()(module, Data()).metrics
    assert metrics["fid"] != metrics["fid"]


class Labelled(Record):
    needs_labels = True


class Classified(Record):
    needs_logits = True


def test_what_a_metric_needs_is_checked_before_the_work() -> None:
    with pytest.raises(OptionError, match=r"metrics\.it=Data: has no labels"):
        evaluation(metrics={"it": Labelled()}).check(Data())
    with pytest.raises(OptionError, match="features=pixels: is no classifier, and it needs one"):
        evaluation(metrics={"it": Classified()}).check(Data())
    data = Data()
    data.facts = lambda: DataFacts([2], 4, "0" * 64, "Data")  # type: ignore[method-assign]
    with pytest.raises(OptionError, match=r"metrics\.it=Points: needs the classes of samples"):
        evaluation(metrics={"it": Labelled()})(Points(), data)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(OptionError, match="split=test: holds 1 sample, and"):
        evaluation().check(Data(1))
    with pytest.raises(OptionError, match="split=test: holds 0 samples"):
        evaluation().check(Data(0))


@pytest.mark.parametrize(
    ("option", "value"), [("num_samples", 1), ("batch_size", 0), ("truncation", 0.0), ("truncation", -1.0)]
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        evaluation(**{option: value})
    with pytest.raises(OptionError, match="metrics=none"):
        evaluation(metrics={})


class Cached:
    """Counts what it is asked."""

    protocol = {"name": "cached"}

    def __init__(self) -> None:
        self.asked = 0

    def check(self, facts: DataFacts) -> None: ...

    def __call__(self, x: Tensor) -> Features:
        self.asked += len(x)
        return Features(x.float())


def test_the_real_features_are_kept_on_disk() -> None:
    first, second, third = Cached(), Cached(), Cached()
    metrics = [evaluation(features=one)(Points(), Data()).metrics for one in (first, second)]
    assert metrics[0] == metrics[1]
    assert (first.asked, second.asked) == (1 + 60 + 50, 1 + 50)
    third.protocol = {"name": "another"}
    evaluation(features=third)(Points(), Data())
    assert third.asked == 1 + 60 + 50


def test_training_samples_are_not_compared_with_themselves() -> None:
    with pytest.raises(OptionError, match="split=train: must not be the training samples: it compares"):
        evaluation(metrics={"it": Record()}, split="train").check(Data())
    evaluation(split="train").check(Data())

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from forged_runs import changed, evaluation, forge
from scipy import stats

from ganvas.compare.comparison import Comparison
from ganvas.compare.protocol import parse_filters
from ganvas.compare.rows import read_metrics
from ganvas.compare.sets import compare
from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import RunFolder


class Runs:
    """Forged runs, compared."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, []

    def add(self, name: str, *, lr: float = 0.0002, **values: Any) -> None:
        changes = {"model.generator_optimizer.lr": lr} | values.pop("changes", {})
        forge(self.folder / name, changes=changes, **values)
        self.names.append(name)

    def compare(self, **options: Any) -> Comparison:
        (result,) = self.compare_all(**options)
        return result

    def compare_all(self, **options: Any) -> list[Comparison]:
        return compare([read_metrics(RunFolder(self.folder / name)) for name in self.names], **options)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def order(result: Comparison) -> list[tuple[int | None, str, int]]:
    return [(one.rank, one.label.rpartition("=")[2], len(one.members)) for one in result.variants]


def test_variants_over_seeds_the_better_first(runs: Runs) -> None:
    slow, fast = [13.0, 14.5, 13.5], [10.0, 11.0]
    for seed, fid in enumerate(slow, start=1):
        runs.add(f"slow{seed}", lr=0.1, seed=seed, fid=fid)
    for seed, fid in enumerate(fast, start=1):
        runs.add(f"fast{seed}", lr=0.2, seed=seed, fid=fid)
    result = runs.compare()
    assert order(result) == [(1, "0.2", 2), (2, "0.1", 3)]
    best, second = result.variants
    assert best.summaries["fid"].mean == pytest.approx(10.5)
    assert (best.p, best.overlaps) == (None, None)
    assert second.p == pytest.approx(stats.ttest_ind(slow, fast, equal_var=False).pvalue)
    assert second.told_apart is (second.p < 0.05)
    assert second.overlaps  # 10.5 +- 6.4
    assert (result.by, result.mode, result.differing) == ("fid", "min", [])


def test_neighbours_that_a_test_does_not_tell_apart_are_said(runs: Runs) -> None:
    for seed in (1, 2, 3):
        runs.add(f"a{seed}", lr=0.1, seed=seed, fid=10.0 + seed)
        runs.add(f"b{seed}", lr=0.2, seed=seed, fid=10.5 + seed)
        runs.add(f"c{seed}", lr=0.3, seed=seed, fid=90.0 + seed)
    result = runs.compare()
    assert [one.told_apart for one in result.variants] == [None, False, True]
    (note,) = result.notes
    assert "Ranks 1 and 2 are not told apart" in note
    assert "overlap" in note


def test_higher_is_better_where_it_is(runs: Runs) -> None:
    runs.add("a", lr=0.1, metrics={"psnr": 20.0, "mse": 4})
    runs.add("b", lr=0.2, metrics={"psnr": 25.0, "mse": 5})
    assert order(runs.compare()) == [(1, "0.2", 1), (2, "0.1", 1)]
    assert order(runs.compare(by="mse")) == [(1, "0.1", 1), (2, "0.2", 1)]
    assert runs.compare().metrics == ["psnr", "mse"]
    assert order(runs.compare(mode="min")) == [(1, "0.1", 1), (2, "0.2", 1)]


def test_the_first_usual_metric_that_all_have_ranks(runs: Runs) -> None:
    runs.add("a", metrics={"own": 1, "kid": 0.2, "fid": 3})
    runs.add("b", lr=0.1, metrics={"own": 1, "kid": 0.1})
    assert runs.compare().by == "kid"
    with pytest.raises(OptionError, match="RUN=b: have no fid"):
        runs.compare(by="fid")


def test_a_metric_of_ones_own_needs_a_mode(runs: Runs) -> None:
    runs.add("a", lr=0.1, metrics={"own": 1})
    runs.add("b", lr=0.2, metrics={"own": 2})
    with pytest.raises(OptionError, match="not known; give min or max") as error:
        runs.compare()
    assert error.value.option == "--mode"
    assert order(runs.compare(mode="max"))[0] == (1, "0.2", 1)
    assert runs.compare(rank=False).mode is None


def test_a_metric_of_ones_own_may_say_its_direction(runs: Runs) -> None:
    for name, lr in (("a", 0.1), ("b", 0.2)):
        runs.add(name, lr=lr, rows=[{**evaluation(), "metrics": {"own": lr}, "better": {"own": "max"}}])
    assert order(runs.compare())[0] == (1, "0.2", 1)
    assert order(runs.compare(mode="min"))[0] == (1, "0.1", 1)


def _with_metrics(**k: int) -> dict[str, Any]:
    metrics = {"fid": {"metrics": ["fid"]}} | {name: {"k": n, "metrics": [name]} for name, n in k.items()}
    return changed() | {"metrics": metrics}


def test_a_metric_rests_on_its_own_metric_alone(runs: Runs) -> None:
    runs.add("a", metrics={"fid": 1.0, "recall": 2.0}, protocol=_with_metrics(recall=3))
    runs.add("b", lr=0.1, metrics={"fid": 2.0}, protocol=_with_metrics())
    assert order(runs.compare()) == [(1, "0.0002", 1), (2, "0.1", 1)]
    assert dict(runs.compare().protocol)["metrics.recall.k"] == "3"


def test_another_metric_of_another_protocol_is_no_column(runs: Runs) -> None:
    runs.add("a", metrics={"fid": 1.0, "recall": 2.0}, protocol=_with_metrics(recall=3))
    runs.add("b", lr=0.1, metrics={"fid": 2.0, "recall": 9.0}, protocol=_with_metrics(recall=5))
    result = runs.compare()
    assert result.metrics == ["fid"]
    assert "recall is left out: its protocols differ in metrics.recall.k." in result.notes
    with pytest.raises(OptionError, match="no protocol of recall in common"):
        runs.compare(by="recall", mode="max")


def test_metrics_of_one_row_of_the_table_share_their_protocol(runs: Runs) -> None:
    pixels, classifier = changed(), changed(features={"name": "classifier"})
    for name, lr in (("a", 0.1), ("b", 0.2)):
        rows = [
            {"examples": 640, "metrics": {"kid": lr}, "protocol": pixels},
            {"examples": 640, "metrics": {"psnr": 7.0}, "protocol": classifier},
            {"examples": 640, "metrics": {"fid": lr}, "protocol": classifier},
        ]
        runs.add(name, lr=lr, rows=rows)
    assert runs.compare().metrics == ["fid", "psnr"]


def test_the_first_comparable_metric_ranks(runs: Runs) -> None:
    runs.add("a", metrics={"fid": 1.0, "kid": 2.0}, protocol=_with_metrics(kid=3))
    other = _with_metrics(kid=3)
    other["metrics"]["fid"]["distance"] = "another"
    runs.add("b", lr=0.1, metrics={"fid": 1.0, "kid": 1.0}, protocol=other)
    assert runs.compare().by == "kid"


def test_an_unknown_metric_is_near_another(runs: Runs) -> None:
    runs.add("a")
    runs.add("b", lr=0.1)
    with pytest.raises(OptionError, match="did you mean fid"):
        runs.compare(by="fidd")


def test_different_protocols_are_not_ranked(runs: Runs) -> None:
    runs.add("a", fid=1.0)
    runs.add("b", fid=2.0, lr=0.1, protocol=changed(num_samples=500, features={"name": "classifier"}))
    with pytest.raises(OptionError) as error:
        runs.compare()
    text = str(error.value)
    assert "features.name: pixels (a), classifier (b)" in text
    assert "no protocol of fid in common" in text
    assert "num_samples: 2000 (a), 500 (b)" in text
    assert "split" not in text
    assert "ganvas evaluate" in text
    assert "--no-rank" in text


def test_without_ranks_they_stand_side_by_side_with_what_differs(runs: Runs) -> None:
    runs.add("a", fid=2.0)
    runs.add("b", fid=1.0, seed=2, protocol=changed(num_samples=500))
    result = runs.compare(rank=False)
    assert result.differing == ["num_samples"]
    assert order(result) == [
        (None, "mlp_gan-digits", 1),
        (None, "mlp_gan-digits", 1),
    ]  # no mean over protocols
    assert dict(result.protocol).keys() >= {"split", "features.name"}
    assert "num_samples" not in dict(result.protocol)
    assert [dict(one.protocol)["num_samples"] for one in result.variants] == ["2000", "500"]


def test_the_protocol_that_most_share_is_taken(runs: Runs) -> None:
    small, large = changed(num_samples=500), changed(num_samples=10000)
    runs.add("a", rows=[evaluation(1.0, protocol=small), evaluation(9.0, protocol=large, examples=999)])
    runs.add("b", lr=0.1, rows=[evaluation(2.0, protocol=small)])
    result = runs.compare()
    assert [one.summaries["fid"].mean for one in result.variants] == [1.0, 2.0]
    assert "--protocol" in result.notes[0]


def test_of_protocols_that_all_share_the_newest_is_taken(runs: Runs) -> None:
    small, large = changed(num_samples=500), changed(num_samples=10000)
    both = [(small, 1.0), (large, 5.0)]
    runs.add("a", rows=[evaluation(fid, protocol=protocol) for protocol, fid in both])
    runs.add("b", lr=0.1, rows=[evaluation(fid + 1, protocol=protocol) for protocol, fid in both])
    assert [one.summaries["fid"].mean for one in runs.compare().variants] == [5.0, 6.0]
    filters = parse_filters(["num_samples=500"])
    assert [one.summaries["fid"].mean for one in runs.compare(filters=filters).variants] == [1.0, 2.0]


def test_the_metric_asked_for_chooses_among_protocols(runs: Runs) -> None:
    small = changed(num_samples=500)
    for name, lr in (("a", 0.1), ("b", 0.2)):
        rows = [
            {"examples": 1, "metrics": {"kid": lr}, "protocol": small},
            evaluation(lr),
        ]
        runs.add(name, lr=lr, rows=rows)
    assert runs.compare().by == "fid"
    assert dict(runs.compare(by="kid").protocol)["num_samples"] == "500"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("features.nam=pixels", "such a key; there are: features.name"),
        ("num_samples=7", "no metric has this value; there are: 2000"),
        ("features.name", "must be key=value"),
        ("=3", "must be key=value"),
    ],
)
def test_filters_that_fit_nothing(word: str, reason: str, runs: Runs) -> None:
    runs.add("a")
    runs.add("b", lr=0.1)
    with pytest.raises(OptionError, match=reason) as error:
        runs.compare(filters=parse_filters([word]))
    assert error.value.option == "--protocol"


def test_filters_on_nested_values(runs: Runs) -> None:
    runs.add("a", protocol=changed(features={"sha256": None}))
    runs.add("b", lr=0.1, protocol=changed(features={"sha256": "x"}))
    runs.add("c", lr=0.2, protocol=changed(features={"sha256": "x"}))
    result = runs.compare(filters=parse_filters(["features.sha256=x"]))
    assert [one.label for one in result.variants] == [f"model.generator_optimizer.lr={x}" for x in (0.1, 0.2)]
    assert "a is left out" in result.notes[0]


def test_the_newest_row_counts(runs: Runs) -> None:
    runs.add("a", rows=[evaluation(5.0, examples=10, psnr=3), evaluation(2.0, examples=20)])
    runs.add("b", lr=0.1, rows=[evaluation(9.0, examples=20), evaluation(4.0, examples=10)])
    first, second = runs.compare().variants
    assert (first.examples, first.summaries["fid"].mean) == ((20, 20), 2.0)
    assert "psnr" not in first.summaries  # of weights that are not those
    assert (second.examples, second.summaries["fid"].mean) == ((10, 10), 4.0)


def test_a_run_twice_is_one_seed(runs: Runs) -> None:
    runs.add("new", seed=1, fid=3.0, status={"started": "2026-11-23T13:00:00+0000"})
    runs.add("old", seed=1, fid=1.0, status={"started": "2026-11-23T12:00:00+0000"})
    runs.add("two", seed=2, fid=5.0)
    (variant,) = runs.compare().variants
    assert variant.summaries["fid"].values == (3.0, 5.0)
    result = runs.compare()
    assert "old is left out: new is a newer run of seed 1." in result.notes


def test_the_newer_of_two_runs_is_told_by_instants(runs: Runs) -> None:
    """In the night in which clocks go back, and in whatever zone a run was."""
    runs.add("summer", seed=1, fid=1.0, status={"started": "2026-10-25T02:40:00+0200"})
    runs.add("winter", seed=1, fid=3.0, status={"started": "2026-10-25T02:10:00+0100"})
    runs.add("before", seed=1, fid=2.0, status={"started": "2026-10-25T00:30:00.000Z"})
    (variant,) = runs.compare().variants
    assert variant.summaries["fid"].values == (3.0,)


def test_a_seed_without_a_finite_metric_has_no_rank_and_is_last(runs: Runs) -> None:
    runs.add("a1", lr=0.1, seed=1, fid=1.0)
    runs.add("a2", lr=0.1, seed=2, fid=None)
    runs.add("b1", lr=0.2, seed=1, fid=5.0)
    runs.add("b2", lr=0.2, seed=2, fid=6.0)
    result = runs.compare()
    assert order(result) == [(1, "0.2", 2), (None, "0.1", 2)]
    assert any("not finite in 1 of 2 seeds" in note for note in result.notes)
    assert math.isnan(result.variants[1].members[1].metrics["fid"])


def test_runs_without_metrics_are_left_out_with_a_word(runs: Runs) -> None:
    runs.add("a")
    runs.add("b", lr=0.1)
    runs.add("c", lr=0.2, rows=["{"])
    notes = " ".join(runs.compare().notes)
    assert "c is left out" in notes
    assert "not JSON" in notes
    runs.names.remove("a")
    with pytest.raises(OptionError, match="have no metrics, and a comparison needs 2") as error:
        runs.compare()
    assert (error.value.option, error.value.value) == ("RUN", "c")


def test_what_a_reader_has_to_know_is_said(runs: Runs) -> None:
    runs.add("a1", seed=1, examples=640, status={"state": "failed"})
    runs.add("a2", seed=2, examples=320)
    runs.add("b", lr=0.1)
    notes = " ".join(runs.compare().notes)
    assert "a1 is failed; its metrics are of 640 examples." in notes
    assert "different numbers of examples, 320 to 640" in notes
    assert "One variant has one seed" in notes

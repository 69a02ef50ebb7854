"""Unlike runs: a table for each set that shares metrics, and nothing refused without ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from forged_runs import changed, evaluation, forge

from ganvas.compare.comparison import Comparison
from ganvas.compare.rows import read_metrics
from ganvas.compare.sets import compare
from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import RunFolder


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Two GANs, two VQ-VAEs that share no metric with them, and one classifier."""
    forge(tmp_path / "g1", fid=4.0)
    forge(tmp_path / "v1", metrics={"psnr": 20.0, "mse": 0.1}, choices={"model": "vqvae"})
    forge(tmp_path / "g2", metrics={"fid": 3.0, "kid": 0.1}, changes={"model.generator_optimizer.lr": 0.01})
    forge(tmp_path / "v2", metrics={"psnr": 24.0}, changes={"model.x": 1}, choices={"model": "vqvae"})
    forge(tmp_path / "c", metrics={"accuracy": 0.9}, choices={"model": "classifier"})
    return tmp_path


def compared(folder: Path, names: str, **options: Any) -> list[Comparison]:
    return compare([read_metrics(RunFolder(folder / name)) for name in names.split()], **options)


def seen(results: list[Comparison]) -> list[tuple[str, bool, list[str]]]:
    """Of each table: what ranks, whether it does, and its runs."""
    return [
        (one.by, one.ranked, [member.run.name for variant in one.variants for member in variant.members])
        for one in results
    ]


def test_each_set_that_shares_a_metric_is_a_table(zoo: Path) -> None:
    assert seen(compared(zoo, "g1 v1 g2 v2 c")) == [
        ("fid", True, ["g2", "g1"]),
        ("psnr", True, ["v2", "v1"]),
        ("accuracy", False, ["c"]),
    ]
    labels = [variant.label for variant in compared(zoo, "v1 g1 g2 v2")[1].variants]
    assert labels == [
        "model.generator_optimizer.lr=0.01",
        "model.generator_optimizer.lr=0.0002",
    ]  # of its own


def test_one_metric_asked_for_makes_one_table(zoo: Path) -> None:
    (result,) = compared(zoo, "g1 v1 g2 v2", by="psnr")
    assert seen([result]) == [("psnr", True, ["v2", "v1"])]
    assert [note.partition(":")[0] for note in result.notes if "left out" in note][:2] == [
        "g1 is left out",
        "g2 is left out",
    ]


def test_a_set_of_several_protocols_keeps_the_others_from_nothing(zoo: Path) -> None:
    forge(zoo / "g3", fid=1.0, changes={"model.y": 2}, protocol=changed(num_samples=500))
    fid, psnr = compared(zoo, "g1 g3 v1 v2")
    assert seen([fid, psnr]) == [("fid", False, ["g1", "g3"]), ("psnr", True, ["v2", "v1"])]
    assert fid.differing == ["num_samples"]
    assert "Not ranked: protocols of fid differ in num_samples." in fid.notes
    with pytest.raises(OptionError, match="no protocol of fid in common"):  # where there is nothing else
        compared(zoo, "g1 g3")


def test_a_direction_is_one_metric_s(zoo: Path) -> None:
    with pytest.raises(OptionError, match=r"--mode=min: .*2 tables; name the metric by --by"):
        compared(zoo, "g1 v1 g2 v2", mode="min")
    assert seen(compared(zoo, "g1 g2", mode="max")) == [("fid", True, ["g1", "g2"])]


@pytest.mark.parametrize(
    "names", ["g1", "none", "g1 none", "none broken", "own1 own2", "g1 g3 own1 v1 none", "c own1"]
)
def test_without_ranks_nothing_is_refused(names: str, zoo: Path) -> None:
    forge(zoo / "g3", fid=1.0, protocol=changed(num_samples=500))
    forge(zoo / "none", rows=[], status={"examples_seen": 77})
    forge(zoo / "broken", rows=["{"], changes={"model.x": 3})
    forge(zoo / "own1", metrics={"own": 1}, changes={"model.x": 4})
    forge(zoo / "own2", metrics={"own": 2}, changes={"model.x": 5})
    results = compared(zoo, names, rank=False)
    shown = [name for _, _, members in seen(results) for name in members]
    assert sorted(shown) == sorted(names.split())
    assert not any(result.ranked for result in results)
    if "none" in names:
        assert results[-1].by == ""
        assert 77 in [variant.examples[0] for variant in results[-1].variants]
        assert any("ganvas evaluate" in note for note in results[-1].notes)


def test_without_ranks_what_fits_nothing_is_still_refused(zoo: Path) -> None:
    with pytest.raises(OptionError, match="did you mean fid"):
        compared(zoo, "g1 g2", rank=False, by="fiid")


def test_metrics_that_most_have_come_before_their_order(zoo: Path) -> None:
    """g4 has kid alone: with g2 it shares kid, but fid joins more of them."""
    forge(zoo / "g4", metrics={"kid": 0.3}, changes={"model.y": 4})
    assert seen(compared(zoo, "g1 g2 g4")) == [("fid", True, ["g2", "g1"]), ("kid", False, ["g4"])]


def test_a_run_of_both_kinds_joins_one_set(zoo: Path) -> None:
    forge(zoo / "both", rows=[evaluation(9.0, psnr=9.0)], changes={"model.y": 4})
    tables = seen(compared(zoo, "g1 g2 v1 both"))
    assert tables == [("fid", True, ["g2", "g1", "both"]), ("psnr", False, ["v1"])]


def test_a_comparison_says_little_of_itself_and_what_counts(zoo: Path) -> None:
    """A notebook shows it: values and labels, not the whole run.yaml of every run."""
    said = repr(compared(zoo, "g1 g2")[0])
    assert len(said) < 2000
    assert "label='model.generator_optimizer.lr=0.01'" in said
    assert "mean=3.0" in said
    assert "_target_" not in said

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from forged_runs import changed, forge

from ganvas.compare.comparison import Comparison
from ganvas.compare.rows import read_metrics
from ganvas.compare.sets import compare
from ganvas.compare.show.table import as_csv, as_json, mean_and_half
from ganvas.compare.statistics import summarize
from ganvas.run.folder.run_folder import RunFolder


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([12.0, 12.2, 12.5], "12.23 ± 0.63"),
        ([0.0120, 0.0122, 0.0125], "0.01223 ± 0.00063"),
        ([1200.0, 1300.0, 1500.0], "1333 ± 379"),
        ([3.0], "3"),
        ([3.14159], "3.142"),
        ([2.0, 2.0], "2 ± 0"),
        ([1e300, 2e300], "1.5e+300 ± 6.4e+300"),
        ([math.nan], "not finite"),
        ([math.nan, 2.0], "2 (1 not finite)"),
    ],
)
def test_a_mean_is_as_long_as_its_interval_allows(values: list[float], text: str) -> None:
    assert mean_and_half(summarize(values)) == text


def compared(tmp_path: Path, **options: object) -> Comparison:
    folders = [
        forge(tmp_path / "a1", seed=1, metrics={"fid": 3.0, "own": 1}),
        forge(tmp_path / "a2", seed=2, metrics={"fid": 4.0}),
        forge(tmp_path / "b", fid=None, changes={"model.x": "=1+1"}, choices={"model": "=1+1"}),
    ]
    (result,) = compare([read_metrics(RunFolder(folder)) for folder in folders], **options)  # type: ignore[arg-type]
    return result


def test_csv_holds_every_number(tmp_path: Path) -> None:
    first, last = csv.DictReader(io.StringIO(as_csv(compared(tmp_path))))
    assert (first["rank"], first["seeds"], first["examples_min"], first["examples_max"]) == (
        "1",
        "2",
        "640",
        "640",
    )
    assert float(first["fid_mean"]) == 3.5
    assert float(first["fid_high"]) == pytest.approx(3.5 + 12.7062047 * 0.5)
    assert first["protocol.num_samples"] == "2000"
    assert (last["rank"], last["fid_n"], last["fid_mean"], last["fid_sd"]) == ("", "0", "", "")


def test_csv_holds_no_formula(tmp_path: Path) -> None:
    forge(tmp_path / "c", changes={"model": {"_target_": "x"}}, choices={"model": "x"})
    forge(tmp_path / "d", protocol=changed(split="=2+2"))
    runs = [read_metrics(RunFolder(tmp_path / name)) for name in ("c", "d")]
    text = as_csv(*compare(runs, rank=False))
    assert "'=2+2" in text
    assert ",=2" not in text


def test_json_is_strict_and_names_every_run(tmp_path: Path) -> None:
    value = json.loads(as_json(compared(tmp_path)), parse_constant=lambda word: pytest.fail(word))
    first, last = value["variants"]
    assert (value["by"], value["mode"], value["ranked"], value["level"]) == ("fid", "min", True, 0.95)
    assert value["protocol"]["features.sha256"] is None
    assert value["protocol"]["num_samples"] == 2000
    assert [(run["run"], run["seed"], run["metrics"]["fid"]) for run in first["runs"]] == [
        ("a1", 1, 3.0),
        ("a2", 2, 4.0),
    ]
    assert first["metrics"]["fid"]["mean"] == 3.5
    assert set(first["metrics"]) == {"fid"}  # own is not of every seed
    assert (last["rank"], last["metrics"]["fid"]["mean"], last["metrics"]["fid"]["not_finite"]) == (
        None,
        None,
        1,
    )


def test_several_tables_in_one_file(tmp_path: Path) -> None:
    folders = [
        forge(tmp_path / "g", fid=3.0),
        forge(
            tmp_path / "v", metrics={"psnr": 20.0}, choices={"model": "vqvae"}, protocol=changed(split="val")
        ),
    ]
    results = compare([read_metrics(RunFolder(folder)) for folder in folders], rank=False)
    first, second = csv.DictReader(io.StringIO(as_csv(*results)))
    assert (first["table"], first["fid_mean"], first["psnr_mean"]) == ("fid", "3.0", "")
    assert (second["table"], second["fid_mean"], second["psnr_mean"]) == ("psnr", "", "20.0")
    assert (first["protocol.split"], second["protocol.split"]) == ("test", "val")
    assert [one["by"] for one in json.loads(as_json(*results))["tables"]] == ["fid", "psnr"]
    assert "table" not in csv.DictReader(io.StringIO(as_csv(results[0]))).fieldnames  # type: ignore[operator]

"""The ranking of a sweep, and its table."""

from __future__ import annotations

import csv
from pathlib import Path

from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.summary import counts, ranking, rows, write_table


def pair(
    index: int, variant: int, value: float | None, mode: str = "min", state: str = "finished"
) -> tuple[Job, Result]:
    job = Job(
        index=index,
        key=str(index),
        name=f"{index:03d}_x",
        differs=[f"lr={variant}", f"seed={index}"],
        variant=variant,
    )
    best = (
        None if value is None else {"metric": "evaluation/fid", "mode": mode, "value": value, "examples": 5}
    )
    return job, Result(
        state=state, code=0, optimized=best, metrics={"fid": 9.0}, examples_seen=7, seconds=1.5
    )


def test_variants_are_ranked_by_the_mean_of_their_seeds() -> None:
    found = [
        pair(0, 0, 3.0),
        pair(1, 0, 5.0),
        pair(2, 1, 1.0),
        pair(3, 1, 6.0),
        pair(4, 2, 2.0),
        pair(5, 2, None),
    ]
    ranked = ranking(found)
    assert [(one["variant"], one["value"], one["jobs"]) for one in ranked] == [
        (1, 3.5, [2, 3]),
        (0, 4.0, [0, 1]),
    ]
    assert ranked[0]["differs"] == ["lr=1"]  # the seed is no part of a combination
    assert ranked[0]["values"] == [1.0, 6.0]


def test_the_largest_is_first_where_more_is_better() -> None:
    ranked = ranking([pair(0, 0, 0.5, "max"), pair(1, 1, 0.75, "max"), pair(2, 2, 0.9, "max", "failed")])
    assert [one["variant"] for one in ranked] == [1, 0]
    assert ranked[0]["differs"] == ["lr=1", "seed=1"]
    assert ranking([]) == []


def test_the_table_has_a_column_for_every_metric(tmp_path: Path) -> None:
    sweep = Manifest(tmp_path, {})
    job, result = pair(0, 0, 2.5)
    other = Job(index=1, key="k", name="001_y", differs=["a=b c,d"], variant=1)
    table = rows(sweep, [(job, result), (other, Result(state="refused", code=2, metrics={"psnr": 3.0}))])
    write_table(tmp_path / "results.csv", table)
    with (tmp_path / "results.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first)[-1] == "folder"
    assert (first["best evaluation/fid"], first["fid"], first["psnr"]) == ("2.5", "9.0", "")
    assert (second["state"], second["exit_code"], second["overrides"], second["psnr"]) == (
        "refused",
        "2",
        "a=b c,d",
        "3.0",
    )
    assert second["folder"] == str(tmp_path / "001_y")
    assert "variant" not in first
    assert counts([pair(0, 0, 1.0), pair(1, 0, 1.0), (other, Result())]) == {"finished": 2, "waiting": 1}

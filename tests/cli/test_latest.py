"""``latest`` and lists go by instants: not by the clocks of the places where runs and sweeps were begun."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganvas.functional.instant import timestamp
from ganvas.run.folder.run_folder import all_runs, create, find_run, new_folder_path
from ganvas.sweep.find import all_sweeps, find_sweep
from ganvas.sweep.manifest import Manifest

RUN = {"ganvas": {"choices": {"model": "mlp_gan"}}, "config": {"seed": 1}}
WEST, EAST, BERLIN = "America/Los_Angeles", "Pacific/Auckland", "Europe/Berlin"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, float], None]]:
    """``at(zone, seconds)``: the place and the instant from now on."""
    clock = time.time

    def move(zone: str, seconds: float) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        monkeypatch.setattr(time, "time", lambda: seconds)

    yield move
    monkeypatch.undo()
    time.tzset()
    assert time.time is clock


def begin(output_dir: Path) -> Path:
    config = {"paths": {"output_dir": str(output_dir)}, "name": "train", "seed": 1}
    return create(new_folder_path(config, {"model": "mlp_gan", "data": "digits"}), RUN).path


@pytest.mark.parametrize(
    "moments",
    [
        [(EAST, 1_800_000_000.0), (WEST, 1_800_000_060.0), (BERLIN, 1_800_000_120.0)],
        [(BERLIN, 1_792_889_400.0), (BERLIN, 1_792_891_200.0), (BERLIN, 1_792_893_000.0)],
    ],
    ids=["three zones", "the clocks go back"],
)
def test_runs(moments: list[tuple[str, float]], at: Callable[[str, float], None], tmp_path: Path) -> None:
    made = []
    for zone, seconds in moments:
        at(zone, seconds)
        made.append(begin(tmp_path))
    assert [run.path for run in all_runs(tmp_path)] == made
    assert find_run("latest", tmp_path).path == made[-1]
    assert sorted(path.name for path in made) == [path.name for path in made]


def test_runs_of_older_versions_have_local_time_with_its_offset(tmp_path: Path) -> None:
    """By text, 02:50 summer time comes behind 02:20 winter time, which is half an hour later."""
    made = {}
    for name, began in (("b", "2026-10-25T02:20:00+0100"), ("c", "2026-10-25T02:50:00+0200"), ("a", None)):
        made[name] = create(tmp_path / "train" / name, RUN)
        if began is not None:
            made[name].write_status(started=began)
    made["a"].write_status(started=timestamp(1_792_890_000.0))
    assert [run.path.name for run in all_runs(tmp_path)] == ["c", "a", "b"]
    (tmp_path / "train" / "c" / "status.json").write_text("{}")  # killed before it could say anything
    os.utime(tmp_path / "train" / "c" / "run.yaml", (1_792_891_800.0,) * 2)
    assert find_run("latest", tmp_path).path.name == "c"


def test_runs_that_began_within_a_second(at: Callable[[str, float], None], tmp_path: Path) -> None:
    """Their names differ by a hash alone, which says nothing of the order."""
    for number in range(4):
        at(BERLIN, 1_800_000_000.75)
        last = begin(tmp_path / str(number))
        at(EAST, 1_800_000_000.25)
        begin(tmp_path / str(number))
        assert find_run("latest", tmp_path / str(number)).path == last


def test_sweeps(ganvas: Callable[..., Any], tmp_path: Path) -> None:
    """By name where it is in UTC, else by what sweep.json says; when that was written last is no matter."""
    place = tmp_path / "outputs" / "x"
    named = {
        "20261025-005000Z_sweep-d": None,  # 02:50 summer time
        "20261025-025500_sweep-c": "2026-10-25T02:55:00+0200",
        "20261025-022000_sweep-b": "2026-10-25T02:20:00+0100",  # later
        "of_mine": "2026-10-25T01:30:00.000Z",
        "20261025-014000Z_sweep-a": None,
    }
    for age, (name, created) in enumerate(named.items()):
        Manifest(place / name, {} if created is None else {"created": created}).write()
        os.utime(place / name / "sweep.json", (1_700_000_000.0 - age,) * 2)
    assert [path.name for path in all_sweeps(tmp_path / "outputs")] == list(named)
    assert find_sweep("latest", tmp_path / "outputs").name == "20261025-014000Z_sweep-a"
    assert [line.split()[0] for line in ganvas("sweep", "ls").stdout.splitlines()] == list(named)
    (place / "of_mine" / "sweep.json").write_text("{")  # damaged: when it was written is all there is
    os.utime(place / "of_mine" / "sweep.json", (1_700_000_000.0,) * 2)
    assert find_sweep("latest", tmp_path / "outputs").name == "20261025-014000Z_sweep-a"


def test_a_new_sweep_is_named_in_utc(at: Callable[[str, float], None], ganvas: Callable[..., Any]) -> None:
    for zone, told in ((EAST, "20270115-080000Z"), (WEST, "20270115-080000Z")):
        at(zone, 1_800_000_000.0)
        plan = ganvas("sweep", "plan", "seed=1,2").stdout
        assert f"/{told}_sweep-" in plan

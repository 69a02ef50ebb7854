"""sweep.json: what goes in comes out, whoever wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import REDACTED, OptionError
from ganvas.sweep.manifest import Draft, Manifest, devices
from ganvas.sweep.tree import RUN_DIR, changed, changes, config_key, placed

BASE: dict[str, Any] = {
    "seed": 1,
    "paths": {"run_dir": "<run>", "output_dir": "out"},
    "accelerator": {"devices": 1},
    "model": {"a": {"lr": 0.1, "b.c": [1, 2]}, "none": None, "flag": True},
    "logger": {"dir": "<run>/tb"},
}


def config(**values: Any) -> dict[str, Any]:
    return BASE | values


def draft(number: int, variant: int = 0, **values: Any) -> Draft:
    return Draft(
        config(**values), {"model": "x"}, {"model.a": ["seed"]}, [f"n={number}"], f"n-{number}", variant
    )


@pytest.mark.parametrize(
    "other",
    [
        BASE,
        config(seed=2),
        config(seed=True),  # equal to 1, and another value
        config(model={"a": {"lr": 0.1}, "flag": 1}),
        config(model={"a": {"lr": 0.1, "b.c": [1, 2, 3]}, "none": {"x": 1}, "flag": True}),
        config(model={"a": None}),
        config(new={"deep": {"er": [{"x": 1}]}}),
        {"seed": 1.0},
        {},
    ],
)
def test_changes_make_the_other_tree(other: dict[str, Any]) -> None:
    change = json.loads(json.dumps(changes(BASE, other)))
    again = changed(BASE, change)
    assert again == other
    assert json.dumps(again, sort_keys=True) == json.dumps(other, sort_keys=True)  # types too
    assert changed(other, changes(other, BASE)) == BASE


def test_only_what_differs_is_kept() -> None:
    assert changes(BASE, config(seed=2)) == {"set": [[["seed"], 2]], "unset": []}
    assert changes(BASE, BASE) == {"set": [], "unset": []}


def test_the_key_is_that_of_the_experiment() -> None:
    elsewhere = config(paths={"run_dir": "other"}, accelerator={"devices": 8}, resume="x")
    assert config_key(elsewhere) == config_key(BASE)
    data = config(data={"root": "a", "num_workers": 1, "batch_size": 2, "roots": 1})
    assert config_key(data) == config_key(
        config(data={"root": "b", "num_workers": 0, "batch_size": 2, "roots": 1})
    )
    for other in ({"batch_size": 3, "roots": 1}, {"batch_size": 2, "roots": 2}):
        assert config_key(data) != config_key(config(data=other))
    assert config_key(config(seed=2)) != config_key(BASE)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sweep = Manifest(tmp_path / "s", {"sweep_overrides": ["n=1,2"], "shared": ["x=1"]})
    jobs = sweep.add([draft(1), draft(2, variant=1, seed=5), draft(3, variant=2, model={"a": 3})])
    assert not (tmp_path / "s").exists()
    sweep.write()
    read = Manifest.read(tmp_path / "s")
    assert read.jobs == jobs == sweep.jobs
    assert [job.name for job in read.jobs] == ["000_n-1", "001_n-2", "002_n-3"]
    assert read.config_of(jobs[1]) == placed(config(seed=5), {RUN_DIR: str(tmp_path / "s" / "001_n-2")})
    assert read.config_of(jobs[2])["model"] == {"a": 3}
    assert read.config_of(jobs[0])["logger"]["dir"] == str(tmp_path / "s" / "000_n-1" / "tb")
    assert read.choices_of(jobs[2]) == {"model": "x"}
    assert read.origins_of(jobs[1]) == {"model.a": ["seed"]}
    assert read.overrides_of(jobs[2]) == ["x=1", "n=3"]
    (tmp_path / "s").rename(tmp_path / "moved")
    moved = Manifest.read(tmp_path / "moved")
    assert moved.config_of(jobs[0])["paths"]["run_dir"] == str(tmp_path / "moved" / "000_n-1")


def test_jobs_can_be_added_later(tmp_path: Path) -> None:
    sweep = Manifest(tmp_path / "s", {})
    sweep.add([draft(1)])
    sweep.write()
    later = Manifest.read(tmp_path / "s")
    later.add([draft(2, seed=7)])
    later.write()
    assert [job.index for job in Manifest.read(tmp_path / "s").jobs] == [0, 1]
    assert Manifest.read(tmp_path / "s").config_of(later.jobs[1])["seed"] == 7


def test_the_same_job_is_there_once(tmp_path: Path) -> None:
    sweep = Manifest(tmp_path / "s", {})
    first, again, other_machine = sweep.add([draft(1), draft(1), draft(2, accelerator={"devices": 2})])
    assert first is again
    assert other_machine.index == 1
    assert other_machine.key != first.key
    assert (first.devices, other_machine.devices) == (1, 2)


def test_secrets_are_not_written(tmp_path: Path) -> None:
    sweep = Manifest(tmp_path / "s", {"sweep_overrides": ["logger.api_key=swordfish-1"]})
    made = Draft(config(logger={"api_key": "swordfish-1"}), {}, {}, ["logger.api_key=swordfish-1"], "x", 0)
    sweep.add([made])
    sweep.write()
    assert "swordfish" not in (tmp_path / "s" / "sweep.json").read_text()
    assert Manifest.read(tmp_path / "s").config_of(sweep.jobs[0])["logger"]["api_key"] == REDACTED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "is of version None"),
        ('{"version": 7}', "is of version 7, this ganvas reads 1"),
        ('{"version": 1}', "is damaged"),
        (
            '{"version": 1, "about": {}, "first": {"config": {}, "choices": {}, "origins": {}}, "jobs": [3]}',
            "damaged",
        ),
        ("\x00\xff", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_damaged_manifest_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text(text, encoding="latin-1")
    with pytest.raises(OptionError, match=says):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "", "a\0b"])
def test_a_job_cannot_lie_outside_of_its_sweep(name: str, tmp_path: Path) -> None:
    sweep = Manifest(tmp_path, {})
    sweep.add([draft(1)])
    sweep.write()
    value = json.loads((tmp_path / "sweep.json").read_text())
    value["jobs"][0]["name"] = name
    (tmp_path / "sweep.json").write_text(json.dumps(value))
    with pytest.raises(OptionError, match="damaged"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize(("asked", "count"), [(2, 2), ("4", 4), ("auto", 1), ([0, 3], 2), (None, 1), (0, 1)])
def test_devices(asked: Any, count: int) -> None:
    assert devices({"accelerator": {"devices": asked}}) == count

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.sweep.search.pruner import Tail, check_pruner, make_pruner
from ganvas.sweep.search.settings import Settings


def line(examples: int, value: float | None, name: str = "m") -> str:
    return json.dumps({"examples": examples, name: value}) + "\n"


def test_the_tail_gives_each_value_once_and_the_best_so_far(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path, "m", 1, 10)
    assert list(tail.new()) == []
    path.write_text(line(10, 5.0) + line(12, 1.0, "other") + line(21, 7.0))
    assert list(tail.new()) == [(10, 5.0), (20, 5.0)]
    with path.open("a") as file:
        file.write(line(25, 2.0) + "no json\n" + line(31, None) + line(40, 3.0)[:9])
    assert (
        list(tail.new()) == []
    )  # 25 belongs to the step of 20 examples, and its value counts from the next on
    with path.open("a") as file:
        file.write(line(40, 3.0)[9:])
    assert list(tail.new()) == [(40, 2.0)]
    assert list(tail.new()) == []


def test_larger_is_better(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(line(10, 5.0) + line(20, 7.0) + line(30, 6.0))
    assert list(Tail(tmp_path / "metrics.jsonl", "m", -1, 1).new()) == [(10, 5.0), (20, 7.0), (30, 7.0)]


def test_a_file_that_a_resume_cut_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(10, 5.123456789) + line(20, 4.123456789))
    tail = Tail(path, "m", 1, 10)
    assert len(list(tail.new())) == 2
    path.write_text(line(10, 5.0))
    assert list(tail.new()) == []
    path.write_text(line(10, 5.0) + line(20, 4.0) + line(30, 3.0))
    assert list(tail.new()) == [(30, 3.0)]


CONFIG = {
    "trainer": {"max_examples": 900, "val_every_examples": 50, "log_every_examples": 20},
    "callback": {"evaluation": {"_target_": "ganvas.callback.evaluation.Evaluation", "every_examples": 100}},
}


def test_the_cadence_is_the_metrics_own() -> None:
    settings = Settings(pruner="median")
    for metric, every in (("evaluation/fid", 100), ("validation/psnr", 50), ("loss/total", 20)):
        assert check_pruner(settings, [metric], CONFIG) == every
    assert check_pruner(Settings(), ["evaluation/fid"], {"trainer": {}, "callback": {}}) == 1


def changed(section: str, **values: object) -> dict:
    if section == "trainer":
        return CONFIG | {"trainer": CONFIG["trainer"] | values}
    return CONFIG | {"callback": {"evaluation": CONFIG["callback"]["evaluation"] | values}}


@pytest.mark.parametrize(
    ("settings", "metrics", "config", "line"),
    [
        (Settings(pruner="median"), ["a", "b"], CONFIG, "pruner=median: knows one objective"),
        (
            Settings(pruner="median"),
            ["evaluation/fid"],
            changed("callback", every_examples=0),
            "callback.evaluation.every_examples=0: leaves the pruner nothing to see",
        ),
        (
            Settings(pruner="median"),
            ["validation/psnr"],
            changed("trainer", val_every_examples=None),
            "trainer.val_every_examples=null: leaves the pruner nothing to see",
        ),
        (
            Settings(pruner="hyperband"),
            ["loss/total"],
            changed("trainer", max_examples=None),
            "trainer.max_examples=null: is what hyperband divides",
        ),
        (
            Settings(pruner="hyperband", pruner_min_examples=900),
            ["loss/total"],
            CONFIG,
            "pruner_min_examples=900: must be less than",
        ),
    ],
)
def test_what_a_pruner_cannot_do(settings: Settings, metrics: list, config: dict, line: str) -> None:
    with pytest.raises(OptionError, match=line):
        check_pruner(settings, metrics, config)


def test_hyperband_divides_the_budget() -> None:
    pruner = make_pruner(Settings(pruner="hyperband"), every_examples=100, max_examples=900)
    assert (pruner._min_resource, pruner._max_resource, pruner._reduction_factor) == (100, 900, 3)
    assert make_pruner(Settings(), every_examples=1, max_examples=0) is None

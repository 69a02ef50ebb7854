from __future__ import annotations

from pathlib import Path

from forged_runs import forge

from ganvas.compare.curves import apart, equal_curves, read_curves, sensible_tags, thinned


def test_curves_of_a_run(tmp_path: Path) -> None:
    rows = [
        {"examples": 64, "batch": 1, "loss/a": 2.0},
        {"examples": 128, "batch": 2, "loss/a": None, "evaluation/fid": 5},
        "{",
        {"batch": 3, "loss/a": 9.0},
        [1],
        {"examples": 100, "loss/a": 1.0, "loss/b": "x", "loss/c": True},
        {"examples": 100, "loss/a": 7.0},
        {"examples": 101, "loss/a": -1.7e308},
    ]
    problems: list[str] = []
    curves = read_curves(forge(tmp_path / "a", curves=rows), problems)
    assert curves == {"loss/a": ([64, 100], [2.0, 1.0]), "evaluation/fid": ([128], [5.0])}
    assert len(problems) == 2
    assert "1 lines of metrics.jsonl are not JSON" in problems[0]
    assert "2 rows" in problems[1]


def test_tags_of_anyone_are_few_and_short(tmp_path: Path) -> None:
    rows = [{"examples": 1, "x" * 500: 1.0, **{f"t{i}": 1.0 for i in range(1000)}}]
    curves = read_curves(forge(tmp_path / "a", curves=rows), [])
    assert len(curves) == 200
    assert max(map(len, curves)) < 10


def test_losses_come_first_and_leave_room_for_metrics() -> None:
    tags = ["loss/g", "loss/d", "speed/x", *(f"evaluation/{i}" for i in range(9))]
    assert sensible_tags(tags, 6) == ["loss/g", "loss/d", *(f"evaluation/{i}" for i in range(4))]
    many = [*(f"evaluation/{i}" for i in range(9)), *(f"loss/{i}" for i in range(9))]
    assert sensible_tags(many, 4) == ["loss/0", "loss/1", "evaluation/0", "evaluation/1"]
    assert sensible_tags(["a", "b"], 1) == ["a"]
    assert sensible_tags([], 6) == []


def test_curves_of_one_point_make_no_line() -> None:
    point, line = ([5], [1.0]), ([5, 6], [1.0, 2.0])
    runs = [{"a": point, "b": line, "c": point}, {"a": point, "c": line}]
    assert apart(runs) == (["b", "c"], ["a"])


def test_tags_of_one_curve_are_one() -> None:
    one, two = ([1, 2], [3.0, 4.0]), ([1, 2], [3.0, 5.0])
    runs = [{"loss/a": one, "loss/b": one, "loss/c": one}, {"loss/a": two, "loss/b": two, "loss/c": one}]
    assert equal_curves(runs, ["loss/a", "loss/c", "loss/b"]) == {
        "loss/a = loss/b": "loss/a",
        "loss/c": "loss/c",
    }


def test_a_thinned_curve_keeps_its_end() -> None:
    curve = (list(range(1, 1001)), [float(x) for x in range(1, 1001)])
    examples, values = thinned(curve, 10)
    assert len(examples) == 10
    assert examples == values
    assert examples[-1] == 1000
    assert thinned(curve, 2000) == curve

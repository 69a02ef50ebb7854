from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from forged_runs import forge
from PIL import Image
from refusal import refused

import ganvas.compare.show.plot as plotting


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """outputs/train with two seeds of one variant, one of another, and a run without curves."""
    folder = tmp_path / "outputs" / "train"
    for name, seed, lr in (("a1", 1, 0.1), ("a2", 2, 0.1), ("b1", 1, 0.2)):
        curves: list[dict[str, Any]] = [
            {"examples": i, "batch": i, "loss/generator": lr * i} for i in range(1, 40)
        ]
        curves.append({"examples": 40, "evaluation/fid": seed, "speed/examples_per_second": 3.0})
        forge(folder / name, seed=seed, curves=curves, changes={"model.generator_optimizer.lr": lr})
    forge(folder / "none")
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last image was made of."""
    seen: dict[str, Any] = {}
    draw = plotting.draw

    def note(panels: Any, labels: Any, out: Path) -> None:
        seen.update(panels=panels, labels=labels)
        draw(panels, labels, out)

    monkeypatch.setattr(plotting, "draw", note)
    return seen


def test_metrics_and_losses_by_themselves(ganvas, runs: Path, drawn: dict[str, Any], tmp_path: Path) -> None:
    done = ganvas("plot", "a1", "a2", "b1")
    assert done.stdout == "curves.png\n"
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"
        assert image.width > image.height
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50
    assert list(drawn["panels"]) == ["evaluation/fid", "loss/generator"]
    lines = drawn["panels"]["loss/generator"]
    assert [(line.name, line.variant) for line in lines] == [("a1", 0), ("a2", 0), ("b1", 1)]
    assert lines[2].curve[0][-1] == 39
    assert drawn["labels"] == ["model.generator_optimizer.lr=0.1", "model.generator_optimizer.lr=0.2"]


@pytest.mark.parametrize(
    ("name", "start"), [("x.svg", b"<?xml"), ("y/x.pdf", b"%PDF"), ("x.png", b"\x89PNG")]
)
def test_files(name: str, start: bytes, ganvas, runs: Path, tmp_path: Path) -> None:
    done = ganvas("plot", "a1", "none", "--tags", "speed/examples_per_second", "--out", name)
    assert (tmp_path / name).read_bytes().startswith(start)
    assert done.stderr == "none: metrics.jsonl holds no curves; left out\n"


def test_names_of_anyone_are_text(ganvas, runs: Path, drawn: dict[str, Any]) -> None:
    odd = "$\\frac{_^$"
    forge(
        runs / "_odd",
        changes={"model.generator_optimizer.lr": f"_{odd}\u4e2d\x1b"},
        curves=[{"examples": 1, f"loss/{odd}": 1e300}, {"examples": 2**62, f"loss/{odd}": -1e300}],
    )
    assert ganvas("plot", "_odd", "a1").stderr == ""
    assert f"loss/{odd}" in drawn["panels"]


@pytest.mark.parametrize(
    ("words", "key", "parts"),
    [
        (["a1", "--tags", "loss/genrator"], "--tags", ["there are: loss/generator"]),
        (["a1", "--out", "x.jpg"], "--out", ["must end in .png or .pdf or .svg"]),
        (["a1", "--out", "outputs"], "--out", []),
        (["none"], "RUN", ["=none: has no curves"]),
        (["z"], "RUN", ["=z: "]),
        ([], "ganvas plot", ["=: "]),
    ],
)
def test_bad_input(words: list[str], key: str, parts: list[str], ganvas, runs: Path, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["plot", *words], key, *parts)


def test_without_matplotlib(ganvas, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused(
        ganvas, tmp_path, ["plot", "a1"], "plot", "=matplotlib: needs an extra", "pip install 'ganvas[plot]'"
    )

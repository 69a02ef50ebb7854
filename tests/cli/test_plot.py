from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from forged_runs import forge
from matplotlib.figure import Figure
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

    def note(charts: Any, labels: Any, out: Path, numbers: Any) -> None:
        panels = {one.title: one.lines for one in charts}
        seen.update(charts=charts, panels=panels, labels=labels, numbers=numbers)
        draw(charts, labels, out, numbers)

    monkeypatch.setattr(plotting, "draw", note)
    return seen


def test_metrics_and_losses_by_themselves(ganvas, runs: Path, drawn: dict[str, Any], tmp_path: Path) -> None:
    done = ganvas("plot", "a1", "a2", "b1")
    assert done.stdout == "curves.png\n"
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"
        assert image.width > image.height
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50
    assert list(drawn["panels"]) == ["loss/generator"]
    assert drawn["numbers"] == [  # a panel of each would be a dot
        "evaluation/fid: 1.5 ± 6.4 at 40 examples, model.generator_optimizer.lr=0.1, 2 seeds",
        "evaluation/fid: 1 at 40 examples, b1",
    ]
    lines = drawn["panels"]["loss/generator"]
    mean = "model.generator_optimizer.lr=0.1, mean of 2 seeds"
    assert [(line.name, line.variant) for line in lines] == [(mean, 0), ("b1", 1)]
    assert lines[1].curve[0][-1] == 39
    assert drawn["labels"] == ["model.generator_optimizer.lr=0.1", "model.generator_optimizer.lr=0.2"]


def test_losses_first_equal_ones_once_and_one_axis(
    ganvas, tmp_path: Path, drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {
            "examples": i,
            "evaluation/psnr": i,
            "loss/codebook": 2 / i,
            "loss/commitment": 2 / i,
            "loss/all": -i,
        }
        for i in range(1, 5)
    ]
    rows += [{"examples": i, "validation/psnr": i} for i in (100, 200)]
    forge(tmp_path / "outputs" / "train" / "v", curves=rows)
    figures: list[Any] = []

    class Noted(Figure):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            figures.append(self)

    monkeypatch.setattr("matplotlib.figure.Figure", Noted)
    ganvas("plot", "v")
    titles = ["loss/codebook = loss/commitment", "loss/all", "evaluation/psnr", "validation/psnr"]
    assert list(drawn["panels"]) == titles
    axes = [axis for axis in figures[0].axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == titles
    assert len({axis.get_xlim() for axis in axes}) == 1  # up to 200 in all
    assert [axis.get_xlabel() for axis in axes] == ["", "examples seen", "examples seen", "examples seen"]


def test_seeds_behind_their_mean_against_time(
    ganvas, runs: Path, drawn: dict[str, Any], tmp_path: Path
) -> None:
    """Two speeds: 10 then 20 examples a second for one seed, 5 for the other."""
    for name, seed, speeds in (("t1", 1, (10.0, 20.0)), ("t2", 2, (5.0, 5.0))):
        rows = [
            {"examples": 100 * (i + 1), "loss/generator": seed + i, "speed/examples_per_second": speed}
            for i, speed in enumerate(speeds)
        ]
        rows.append({"examples": 300, "loss/generator": 9.0})  # after the last speed it goes on as before
        forge(tmp_path / "outputs" / "train" / name, seed=seed, curves=rows)
    rows = [{"examples": i, "loss/generator": i} for i in (1, 2)]
    forge(tmp_path / "outputs" / "train" / "slow", curves=rows, changes={"model.generator_optimizer.lr": 3.0})
    done = ganvas(
        *("plot", "t1", "t2", "slow", "--against", "time", "--seeds", "--out", "t.svg", "--tags"),
        "loss/generator",
    )
    assert done.stderr == "slow: speed/examples_per_second of metrics.jsonl tells no time; left out\n"
    (chart,) = drawn["charts"]
    assert chart.x_label == "training time, seconds"
    first, second, mean = chart.lines
    assert (first.faint, second.faint, mean.faint) == (True, True, False)
    assert first.curve[0] == pytest.approx([10, 15, 20])
    assert second.curve[0] == pytest.approx([20, 40, 60])
    assert mean.curve[0] == pytest.approx([15, 27.5, 40])
    assert mean.curve[1] == [1.5, 2.5, 9.0]
    assert mean.band is not None


def test_modes_of_two_generators(ganvas, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = ["model=mlp_gan", "data=toy", "trainer.max_examples=256", "accelerator=cpu", "callback=minimal"]
    for seed in (1, 2):
        ganvas("train", *toy, f"seed={seed}", f"paths.run_dir={tmp_path / f'g{seed}'}")
    done = ganvas("plot", "--modes", "g1", "g2", "--num", "50", "--out", "m.svg")
    assert "of 25" in done.stdout
    shown = (tmp_path / "m.svg").read_text()
    assert shown.count(" of 25 modes, ") >= 2
    refused(ganvas, tmp_path, ["plot", "--modes", "g1", "--num", "0"], "--num")
    refused(ganvas, tmp_path, ["plot", "g1", "--modes", "--seeds"], "--seeds", "is of curves")
    refused(ganvas, tmp_path, ["plot", "g1", "--rate-distortion", "--modes"], "--modes")


def test_a_run_of_single_points_is_an_image_of_numbers(ganvas, tmp_path: Path, drawn: dict[str, Any]) -> None:
    forge(tmp_path / "outputs" / "train" / "one", curves=[{"examples": 640, "evaluation/fid": 2.5}])
    ganvas("plot", "one", "--out", "x.png")
    assert drawn["panels"] == {}
    assert drawn["numbers"] == ["evaluation/fid: 2.5 at 640 examples, one"]
    with Image.open(tmp_path / "x.png") as image:
        assert len(image.convert("RGB").getcolors(1 << 20)) > 5  # letters


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
        (["a1", "--out", "x.jpg"], "--out", ["must end in .png, .pdf or .svg"]),
        (["a1", "--out", "outputs"], "--out", []),
        (["none"], "RUN", ["=none: has no curves"]),
        (["z"], "RUN", ["=z: "]),
        ([], "RUN", ["=: "]),
    ],
)
def test_bad_input(words: list[str], key: str, parts: list[str], ganvas, runs: Path, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["plot", *words], key, *parts)


def test_without_matplotlib(ganvas, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused(
        ganvas, tmp_path, ["plot", "a1"], "command", "=plot: needs matplotlib", "pip install 'ganvas[plot]'"
    )

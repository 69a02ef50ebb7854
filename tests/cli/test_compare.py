from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import pytest
from forged_runs import changed, evaluation, forge, forge_two_variants
from refusal import refused


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return forge_two_variants(tmp_path)


def test_table(ganvas, runs: Path) -> None:
    text = ganvas("compare", "outputs/train/*").stdout
    best, second = (line for line in text.splitlines() if "generator_optimizer.lr" in line)
    assert [cell.strip() for cell in best.split("│")[1:6]] == [
        "1",
        "model.generator_optimizer.lr=0.001",
        "1",
        "640",
        "2",
    ]
    assert [cell.strip() for cell in second.split("│")[1:7]] == [
        "2",
        "model.generator_optimizer.lr=0.0002",
        "2",
        "640",
        "6 ± 13",
        "one seed: no test",
    ]
    assert "fid (lower is better)" in text
    assert "features.name=pixels" in text
    assert max(map(len, text.splitlines())) <= 160


def test_a_narrow_terminal_cuts_nothing_off(ganvas, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    text = ganvas("compare", "a1", "b1").stdout
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_files(ganvas, runs: Path, tmp_path: Path) -> None:
    said = ganvas("compare", "a1", "a2", "b1", "--csv", "x/t.csv", "--html", "p.html", "--json", "t.json")
    assert said.stdout.splitlines()[-3:] == ["x/t.csv", "t.json", "p.html"]
    best, second = csv.DictReader((tmp_path / "x" / "t.csv").read_text().splitlines())
    assert (best["rank"], best["fid_mean"], second["fid_mean"]) == ("1", "2.0", "6.0")
    assert json.loads((tmp_path / "t.json").read_text())["variants"][1]["metrics"]["fid"]["mean"] == 6.0
    assert (tmp_path / "p.html").read_text().startswith("<!DOCTYPE html>")


def test_json_alone(ganvas, runs: Path) -> None:
    value = json.loads(ganvas("compare", "a1", "b1", "--json").stdout)
    assert [one["rank"] for one in value["variants"]] == [1, 2]


def test_another_metric_and_direction(ganvas, runs: Path) -> None:
    for run in ("a1", "a2", "b1"):
        seed = int(run[1])
        (runs / run / "evaluations.jsonl").write_text(json.dumps(evaluation(3.0, own=seed)) + "\n")
    value = json.loads(ganvas("compare", "a?", "b1", "--by", "own", "--mode", "max", "--json").stdout)
    assert (value["by"], value["mode"]) == ("own", "max")
    assert value["variants"][0]["variant"].endswith("0.0002")


def test_torch_is_not_imported(ganvas, runs: Path) -> None:
    import subprocess

    source = (
        "import sys; from ganvas.cli.main import main; main(['compare', 'a1', 'b1', '--html', 'x.html']); "
    )
    source += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "key", "parts"),
    [
        (["a1"], "RUN", ["=a1: names 1 run", "at least 2"]),
        (["a1", "outputs/train/a1"], "RUN", ["=a1 outputs/train/a1: names 1 run"]),
        (["a1", "c*"], "RUN", ["=c*: fits no run"]),
        (["a1", "z"], "RUN", ["=z: no run"]),
        (["a1", "b1", "--by", "fiid"], "--by", ["did you mean fid"]),
        (["a1", "b1", "--protocol", "x"], "--protocol", ["must be key=value"]),
        (["a1", "b1", "--protocol", "split=train"], "--protocol", ["there are: test"]),
        (["a1", "b1", "--csv", "t.txt"], "--csv", ["must end in .csv"]),
        (["a1", "b1", "--html", "t.htm"], "--html", ["must end in .html"]),
        (["--json", "a1", "b1"], "--json", ["must end in .json"]),
        (["a1", "b1", "--csv", "outputs/train/a1/run.yaml/x.csv"], "--csv", ["=outputs/train/a1/run.yaml: "]),
        (["a1", "b1", "--mode", "more"], "--mode", ["=more: must be one of"]),
        ([], "RUN", ["=: is missing"]),
    ],
)
def test_bad_input(words: list[str], key: str, parts: list[str], ganvas, runs: Path, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["compare", *words], key, *parts)


def test_different_protocols_are_refused_and_shown_on_demand(ganvas, runs: Path, tmp_path: Path) -> None:
    (runs / "b1" / "evaluations.jsonl").write_text(
        json.dumps(evaluation(protocol=changed(features={"name": "classifier"}))) + "\n"
    )
    refused(
        ganvas,
        tmp_path,
        ["compare", "a1", "a2", "b1", "--html", "p.html"],
        "RUN",
        "=3 runs: have no protocol of fid in common",
        "features.name: pixels (a1 a2), classifier (b1)",
        "--no-rank",
    )
    text = ganvas("compare", "a1", "a2", "b1", "--no-rank").stdout
    assert "features.name" in text
    assert "classifier" in text
    assert "rank" not in text.splitlines()[1]


def test_unlike_runs_make_a_table_each(ganvas, runs: Path, tmp_path: Path) -> None:
    for name, psnr in (("v1", 20.0), ("v2", 22.0)):
        forge(runs / name, metrics={"psnr": psnr}, changes={"model.x": psnr}, choices={"model": "vqvae"})
    text = ganvas("compare", "outputs/train/*", "--html", "p.html", "--csv", "t.csv").stdout
    assert text.index("2 variants, 3 runs, ranked by fid") < text.index("2 variants, 2 runs, ranked by psnr")
    assert "model.x=22.0" in text
    assert len((tmp_path / "t.csv").read_text().splitlines()) - 1 == 4
    assert (tmp_path / "p.html").read_text().count("<section>") == 2
    value = json.loads(ganvas("compare", "outputs/train/*", "--json").stdout)
    assert [one["by"] for one in value["tables"]] == ["fid", "psnr"]


def test_without_ranks_one_run_and_runs_without_metrics_are_shown(ganvas, runs: Path) -> None:
    (runs / "b1" / "evaluations.jsonl").unlink()
    assert "6" in ganvas("compare", "a1", "a2", "--no-rank").stdout
    text = ganvas("compare", "b1", "--no-rank").stdout
    assert "640" in text
    assert "ganvas evaluate makes them" in text


@pytest.mark.parametrize(
    "text", ["", "{", "[1]\n", '{"examples": 1, "metrics": {"fid": NaN}}\n', "\xff\x00", "{" * 9999]
)
def test_broken_metrics_are_one_line(text: str, ganvas, runs: Path, tmp_path: Path) -> None:
    (runs / "b1" / "evaluations.jsonl").write_text(text, encoding="latin-1")
    refused(ganvas, tmp_path, ["compare", "a1", "b1"], "RUN", "=b1: have no metrics")
    shown = ganvas("compare", "a1", "a2", "b1").stdout
    assert "b1 is left out" in shown


def test_a_table_shows_what_runs_say_and_does_not_obey_it(ganvas, runs: Path) -> None:
    forge(runs / "[red]c", metrics={"fid": 9.0, "[bold]\x1b[2J": 1}, changes={"model.x": "[/red]\x1b[2J"})
    text = ganvas("compare", "a1", "[red]c").stdout
    assert "\x1b" not in text
    assert "[/red]" in text


def test_runs_of_the_real_command(ganvas, tmp_path: Path) -> None:
    words = [
        "trainer.max_examples=128",
        "callback=[record,evaluation]",
        "callback.evaluation.num_samples=200",
    ]
    for seed in (1, 2):
        ganvas("train", "trainer=smoke", "logger=none", f"seed={seed}", *words)
    value = json.loads(ganvas("compare", "train", "--json").stdout)
    (variant,) = value["variants"]
    assert (value["by"], value["mode"], variant["variant"]) == ("fid", "min", "mlp_gan-digits")
    assert (variant["seeds"], variant["examples"]) == (2, [128, 128])
    stored = [
        json.loads(path.read_text())["metrics"]["fid"] for path in tmp_path.glob("outputs/*/*/status.json")
    ]
    assert sorted(run["metrics"]["fid"] for run in variant["runs"]) == pytest.approx(sorted(stored))
    assert ganvas("plot", "train").stdout == "curves.png\n"

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(("run", "figure"), [("a_gan", "fid"), ("b_vqvae", "mse")], ids=["gan", "vqvae"])
def test_json_holds_figures_and_their_protocol(run: str, figure: str, ganvas, outputs: Path) -> None:
    words = ("evaluate", run, "--output-dir", str(outputs), "--num", "100", "--split", "val", "--json")
    (line,) = ganvas(*words).stdout.splitlines()
    result = json.loads(line)
    assert result["run"] == run
    assert result["metrics"][figure] > 0
    assert result["protocol"]["images_seen"] == 128
    assert result["protocol"]["split"] == "val"
    assert json.loads(ganvas(*words).stdout)["metrics"] == result["metrics"]
    rows = [
        json.loads(text) for text in (outputs / "train" / run / "evaluations.jsonl").read_text().splitlines()
    ]
    assert [row["figures"] for row in rows] == [result["metrics"]] * 2
    assert rows[-1]["protocol"] == result["protocol"]
    (outputs / "train" / run / "evaluations.jsonl").unlink()


def test_seed_and_number_are_part_of_the_protocol(ganvas, outputs: Path) -> None:
    words = ("evaluate", "a_gan", "--output-dir", str(outputs), "--json")
    first, second = (json.loads(ganvas(*words, "--num", "64", "--seed", seed).stdout) for seed in "12")
    assert first["metrics"] != second["metrics"]
    assert {key for key in first["protocol"] if first["protocol"][key] != second["protocol"][key]} == {"seed"}
    (outputs / "train" / "a_gan" / "evaluations.jsonl").unlink()


def test_text_names_every_figure(ganvas, outputs: Path) -> None:
    text = ganvas("evaluate", "b_vqvae", "--output-dir", str(outputs), "--num", "64").stdout
    assert text.startswith("b_vqvae\n")
    assert "mse" in text
    assert "\nprotocol\n" in text
    (outputs / "train" / "b_vqvae" / "evaluations.jsonl").unlink()

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(("run", "metric"), [("a_gan", "fid"), ("b_vqvae", "mse")], ids=["gan", "vqvae"])
def test_json_holds_metrics_and_their_protocol(run: str, metric: str, ganvas, outputs: Path) -> None:
    words = ("evaluate", run, "--output-dir", str(outputs), "--num", "100", "--split", "val", "--json")
    (line,) = ganvas(*words).stdout.splitlines()
    result = json.loads(line)
    assert result["run"] == run
    assert result["metrics"][metric] > 0
    assert result["protocol"].pop("examples_seen") == 128
    assert result["protocol"]["data"]["split"] == "val"
    assert json.loads(ganvas(*words).stdout)["metrics"] == result["metrics"]
    rows = [
        json.loads(text) for text in (outputs / "train" / run / "evaluations.jsonl").read_text().splitlines()
    ]
    assert [row["metrics"] for row in rows] == [result["metrics"]] * 2
    assert [row["examples"] for row in rows] == [128] * 2
    assert rows[-1]["better"][metric] == "min"
    assert rows[-1]["protocol"] == result["protocol"]
    (outputs / "train" / run / "evaluations.jsonl").unlink()


def test_seed_and_number_are_part_of_the_protocol(ganvas, outputs: Path) -> None:
    words = ("evaluate", "a_gan", "--output-dir", str(outputs), "--json")
    first, second = (json.loads(ganvas(*words, "--num", "64", "--seed", seed).stdout) for seed in "12")
    assert first["metrics"] != second["metrics"]
    assert {key for key in first["protocol"] if first["protocol"][key] != second["protocol"][key]} == {"seed"}
    (outputs / "train" / "a_gan" / "evaluations.jsonl").unlink()


def test_text_names_every_metric(ganvas, outputs: Path) -> None:
    text = ganvas("evaluate", "b_vqvae", "--output-dir", str(outputs), "--num", "64").stdout
    assert text.startswith("b_vqvae\n")
    assert "mse" in text
    assert "\nprotocol\n" in text
    (outputs / "train" / "b_vqvae" / "evaluations.jsonl").unlink()


def test_words_choose_other_metrics(ganvas, outputs: Path) -> None:
    words = ("evaluate", "a_gan", "--output-dir", str(outputs), "--num", "60", "--json")
    own = json.loads(ganvas(*words).stdout)
    other = json.loads(ganvas(*words, "metric.features.size=4").stdout)
    same = json.loads(ganvas(*words, "--features", "pixels", "--metrics", "fid").stdout)
    assert own["protocol"]["features"]["size"] == 8
    assert other["protocol"]["features"]["size"] == 4
    assert other["metrics"]["fid"] != own["metrics"]["fid"]
    assert same == own
    (outputs / "train" / "a_gan" / "evaluations.jsonl").unlink()


@pytest.mark.parametrize("run", ["a_gan", "b_vqvae"])
def test_the_floor_is_of_training_samples_and_is_not_recorded(run: str, ganvas, outputs: Path) -> None:
    words = ("evaluate", run, "--output-dir", str(outputs), "--num", "1000", "--json", "--floor")
    floor = json.loads(ganvas(*words).stdout)
    assert floor["protocol"]["weights"] == "training samples"
    assert 0 < floor["metrics"]["fid"] < 1  # the untrained GAN's is over 20
    assert not (outputs / "train" / run / "evaluations.jsonl").exists()


def test_truncation_and_raw_weights_are_part_of_the_protocol(ganvas, outputs: Path) -> None:
    words = ("evaluate", "a_gan", "--output-dir", str(outputs), "--num", "60", "--json")
    rows = [
        json.loads(ganvas(*words, *more).stdout)
        for more in ((), ("--truncation", "0.5"), ("--raw",), ("--ema",))
    ]
    assert [row["protocol"]["truncation"] for row in rows] == [None, 0.5, None, None]
    assert [row["protocol"]["weights"] for row in rows] == ["ema", "ema", "raw", "ema"]
    assert len({row["metrics"]["fid"] for row in rows}) == 3
    (outputs / "train" / "a_gan" / "evaluations.jsonl").unlink()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--metrics", "fidd"], "--metrics=fidd: "),
        (["--features", "pixel"], "--features=pixel: there is no such option; did you mean pixels?"),
        (["metric.features.sise=4"], "metric.features.sise=4: "),
        (["model.latent_dim=4"], "model.latent_dim=4: is no option here"),
        (["--num-real", "1"], "--num-real=1: must be at least 2"),
        (["--truncation", "0"], "--truncation=0.0: must be positive"),
        (["--floor", "--num", "1438"], "--num=1438: is more than the 1437 training samples"),
        (["--features", "toy"], "--features=toy: "),
        (["metric/features=toy"], "metric/features=toy: "),
        (["--metrics", "kid", "--num", "1"], "--num=1: "),
    ],
)
def test_bad_words(ganvas, outputs: Path, words: list[str], line: str) -> None:
    done = ganvas("evaluate", "a_gan", "--output-dir", str(outputs), *words, code=2)
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert not (outputs / "train" / "a_gan" / "evaluations.jsonl").exists()


def test_averaged_weights_are_asked_of_a_run_without_them(ganvas, outputs: Path) -> None:
    done = ganvas("evaluate", "b_vqvae", "--output-dir", str(outputs), "--ema", code=2)
    assert done.stderr.startswith("--ema=b_vqvae: the run has no averaged weights")


def test_several_runs_by_a_glob(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("evaluate", "*", "--output-dir", str(outputs), "--num", "60", "--json")
    done = ganvas(*words)
    assert [json.loads(line)["run"] for line in done.stdout.splitlines()] == ["a_gan", "b_vqvae"]
    both = ganvas("evaluate", "a_gan", "b_", "metric.features.size=4", *words[2:])
    gan, vqvae = map(json.loads, both.stdout.splitlines())
    assert (gan["run"], gan["protocol"]["features"]["size"], vqvae["run"]) == ("a_gan", 4, "b_vqvae")
    one_left = ganvas(*words, "--metrics", "fid", code=2)
    assert [json.loads(line)["run"] for line in one_left.stdout.splitlines()] == ["a_gan"]
    (line,) = one_left.stderr.splitlines()
    assert line.startswith(f"{outputs}/train/b_vqvae: --metrics=fid: are of generated samples")
    for run in ("a_gan", "b_vqvae"):
        (outputs / "train" / run / "evaluations.jsonl").unlink()

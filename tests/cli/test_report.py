"""What ``ganvas train`` says at the end: paths that are there alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest


def paths_named(text: str) -> list[Path]:
    return [Path(word) for word in re.split(r"\s+", text) if "/" in word and not word.startswith("(")]


@pytest.mark.parametrize(
    ("words", "there"),
    [
        ([], {"images", "metrics", "checkpoints", "watch"}),
        (["callback=none"], {"checkpoints", "watch"}),
        (["callback=none", "logger=none"], {"checkpoints"}),
        (["callback=minimal", "logger=none"], {"metrics", "checkpoints"}),
        (["callback.checkpoint=null", "logger=none"], {"images", "metrics"}),
        (["trainer.fast_dev_run=true"], set()),
    ],
)
def test_at_the_end_paths_that_are_there_alone(words: list[str], there: set[str], ganvas: Callable) -> None:
    done = ganvas("train", "trainer=smoke", "trainer.max_examples=128", "accelerator=cpu", *words)
    for path in paths_named(done.stdout):
        assert path.exists(), path
        if path.is_dir():
            assert any(path.iterdir()), path
    named = set(re.findall(r"(images|metrics|checkpoints|watch):", done.stdout))
    assert named == there
    warned = "this run keeps no weights and cannot be resumed; leave callback.checkpoint in" in done.stderr
    assert warned == ("callback.checkpoint=null" in words)


def test_metrics_carry_their_protocol_in_short(ganvas) -> None:
    words = ("callback.evaluation.num_samples=64", "trainer.max_examples=128", "callback=minimal")
    text = ganvas("train", "trainer=smoke", "logger=none", *words).stdout
    assert re.search(r"\n  fid +\d[\d.e+]* \(pixels, val, 64\)\n", text)
    text = ganvas("train", "trainer=smoke", "logger=none", "model=mlp_vqvae", *words[1:]).stdout
    assert re.search(r"\n  psnr +\d[\d.]* \(val, 180\)\n", text)
    assert re.search(r"\n  rfid +\d[\d.e+]* \(pixels, val, 180\)\n", text)
    listed = ganvas("runs", "ls").stdout
    assert re.search(r"fid [\d.]+ \(pixels, val, 64\)", listed)
    assert "(val, 180)" in listed
    rows = json.loads(ganvas("runs", "ls", "--json").stdout)
    assert rows[0]["protocols"] == {"fid": "pixels, val, 64"}


@pytest.mark.slow
def test_jobs_of_a_sweep_say_it_too(ganvas) -> None:
    words = ("-m", "seed=1,2", "trainer=smoke", "callback=minimal", "logger=none", "hydra.sweep.dir=s")
    text = ganvas("train", *words, "callback.evaluation.num_samples=64").stdout
    assert text.startswith("ranked by evaluation/fid, the recipe's main metric; optimized_metric=... chooses")
    assert len(re.findall(r"fid [\d.]+ \(pixels, val, 64\)", text)) >= 4  # two lines, two rows of the table
    assert re.search(r"best: job [01] \(seed=[12]\), evaluation/fid [\d.]+ \(pixels, val, 64\), ", text)
    assert "protocols" not in Path("s/results.csv").read_text()

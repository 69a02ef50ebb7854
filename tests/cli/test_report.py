"""What ``ganvas train`` says: before torch is imported, and at the end; paths that are there alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from refusal import SMOKE


def paths_named(text: str) -> list[Path]:
    return [Path(word) for word in re.split(r"\s+", text) if "/" in word and not word.startswith("(")]


def test_what_it_will_train_is_said_before_torch_is_imported(tmp_path: Path) -> None:
    source = "import sys, os, ganvas.cli.report as r; from ganvas.cli.main import main\n"
    source += "class Out:\n"
    source += "    def write(self, t):\n"
    source += "        sys.__stderr__.write(t); sys.__stderr__.flush()\n"  # not by os._exit
    source += "        if ', seed ' in t: os._exit(9 if 'torch' in sys.modules else 3)\n"
    source += "    def flush(self): pass\n"
    source += "sys.stdout = Out(); sys.exit(main(['train', 'trainer=smoke', 'seed=5', 'model=mlp_vqvae']))"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines() == ["mlp_vqvae on digits: 640 examples, seed 5"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.max_examples=128"], "mlp_gan on digits: 128 examples, seed 1"),
        (["trainer.max_examples=null", "trainer.max_steps=2"], "mlp_gan on digits: 2 batches, seed 1"),
        (
            ["trainer.max_examples=128", "trainer.max_epochs=1"],
            "mlp_gan on digits: 128 examples or 1 epochs, seed 1",
        ),
        (["trainer.fast_dev_run=true"], "mlp_gan on digits: a trial of one batch, seed 1"),
    ],
)
def test_what_it_is_about_to_do(words: list[str], said: str, ganvas) -> None:
    assert ganvas(*SMOKE, *words).stdout.splitlines()[0] == said


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

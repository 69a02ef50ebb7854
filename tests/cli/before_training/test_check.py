"""``ganvas check``: what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_it_says_what_an_experiment_is_and_costs(ganvas, tmp_path: Path) -> None:
    done = ganvas("check", "trainer.max_examples=64000", "accelerator=cpu")
    lines = dict(re.findall(r"^ *(\w+) +(.*)$", done.stdout, re.M))
    assert lines["model"] == "mlp_gan"
    assert lines["data"] == "digits: 1,437 train, 180 val, 180 test; 1x8x8"
    assert (lines["generator"], lines["discriminator"]) == ("21,184 parameters", "8,449 parameters")
    assert re.fullmatch(r"discriminator \d\.\d+, generator \d\.\d+", lines["losses"])
    assert re.search(
        r"weights 0\.2 MB, gradients 0\.1 MB, optimizers 0\.2 MB, activations of 64", lines["memory"]
    )
    assert ": 1,000 batches in " in lines["time"]
    assert not done.stderr
    assert not list(tmp_path.iterdir())


def test_its_columns_are_flush_and_one_thread_is_one(ganvas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    text = ganvas("check", "accelerator=cpu", "data=toy").stdout
    starts = {len(re.match(r" *\w+( short)? +", line).group()) for line in text.splitlines()}
    assert starts == {16}
    assert "with 1 thread on this CPU" in text


def test_it_says_what_a_run_is_too_short_for(ganvas) -> None:
    words = ["trainer.max_examples=640", "accelerator=cpu", "callback=minimal", "model.ema.ramp=null"]
    said = ganvas("check", *words).stdout
    assert "\ntoo short       model.ema.half_life=10000: 96% of the average is the untrained start" in said
    assert "too short" not in ganvas("check", *words[:3]).stdout


def test_it_says_what_its_parts_do_badly_together(ganvas) -> None:
    words = [
        "check",
        "model=dcgan",
        "model/gradient_penalty=wgan_gp",
        "data.image_size=16",
        "accelerator=cpu",
    ]
    done = ganvas(*words)
    assert (
        "\nremark          model.gradient_penalty=WGANGP: it is of single samples, and BatchNorm"
        in done.stdout
    )
    assert not done.stderr
    assert "remark" not in ganvas(*words, "model.discriminator.norm=none").stdout


def test_it_says_how_often_each_network_steps(ganvas) -> None:
    words = ["check", "accelerator=cpu", "trainer.max_examples=64000"]
    text = ganvas(*words, "model.d_steps_per_g_step=3").stdout
    assert "\nsteps           generator 333, discriminator 1,000\n" in text
    assert "\nsteps" not in ganvas(*words).stdout  # as often as there are batches


def test_json_holds_bytes(ganvas) -> None:
    seen = json.loads(ganvas("check", "--json", "accelerator=cpu").stdout)
    assert seen["steps"] == dict.fromkeys(("generator", "discriminator"), seen["batches"])
    assert seen["gradients"] == 4 * (21184 + 8449)


def test_a_mistake_is_one_line(ganvas) -> None:
    done = ganvas("check", "model.latent_dim=0", code=2)
    assert done.stderr.startswith("model.latent_dim=0: ")
    assert len(done.stderr.splitlines()) == 1


def test_what_train_refuses_before_torch_is_refused(ganvas) -> None:
    assert ganvas("check", "sweep.repeats=2", code=2).stderr.startswith("sweep.repeats=2: ")
    assert ganvas("check", "hydra.run.dir=x", code=2).stderr.startswith("hydra.run.dir=x: ")


def test_parts_of_ones_own(ganvas, tmp_path: Path) -> None:
    ganvas("init", "project")
    words = ["check", "--config-dir", "project/conf", "data=mine", "accelerator=cpu"]
    # In a process of its own: other tests of this one have modules of this name.
    done = subprocess.run(
        [sys.executable, "-m", "ganvas", *words], capture_output=True, text=True, check=True
    )
    assert "data            mine: 5,000 train, 500 val, 500 test; 1x16x16" in done.stdout


def test_it_says_what_is_taken_of_a_folder(ganvas, there: Path) -> None:
    (there / "flat" / "notes.txt").touch()
    words = [
        "data=image_folder",
        "data.root=flat",
        "data.batch_size=2",
        "callback=none",
        "accelerator=cpu",
    ]
    done = ganvas("check", *words)
    first = done.stdout.splitlines()[0]
    assert first.startswith("flat: 5 images (5 .png), no classes; train ")
    assert "passed over: 1 .txt" in first
    said = ganvas("train", *words, "logger=none", "trainer.max_examples=4").stdout.splitlines()
    assert first in said
    assert json.loads(ganvas("check", "--json", *words).stdout)["samples"]["train"] > 0

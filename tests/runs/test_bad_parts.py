"""Parts of a wrong kind, and options that Lightning refuses: one line, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMOKE = ("trainer=smoke", "callback=none", "logger=none")
_PARTS = """
import torch


class Loss:
    def discriminator(self, *, real_logits, fake_logits):
        return (real_logits - fake_logits).mean()

    def generator(self, *, fake_logits, real_logits=None):
        return fake_logits.mean()


class Network:
    def __init__(self, **options):
        pass

    def __call__(self, z, label=None):
        return z


class Metric:
    pass
"""
LIGHTNING = "pytorch_lightning.callbacks"


@pytest.fixture
def refused(ganvas: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """The line that a training of the user's part ends with."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "parts_of_mine.py").write_text(_PARTS)

    def run(*words: str) -> str:
        done = ganvas("train", "--config-dir", "conf", *SMOKE, *words, code=2)
        assert len(done.stdout.splitlines()) <= 1, "what was about to be done"
        assert "folder: " not in done.stdout
        assert len(done.stderr.splitlines()) == 1
        assert not list(tmp_path.rglob("status.json"))
        assert not list(tmp_path.glob("outputs/*/*"))
        return done.stderr

    return run


@pytest.mark.parametrize(
    ("word", "key", "kind"),
    [
        ("model.adversarial_loss._target_=parts_of_mine.Loss", "model.adversarial_loss", "AdversarialLoss"),
        ("model.gradient_penalty._target_=parts_of_mine.Loss", "model.gradient_penalty", "GradientPenalty"),
        ("model.adversarial_loss._target_=torch.nn.ReLU", "model.adversarial_loss", "AdversarialLoss"),
        (
            "model.generator={_target_: parts_of_mine.Network}",
            "model.generator",
            "Module",
        ),
        ("model=mlp_vqvae model.quantizer={_target_: parts_of_mine.Network}", "model.quantizer", "Quantizer"),
        ("++callback.mine._target_=parts_of_mine.Metric", "callback.mine._target_", "Callback"),
        ("++logger.mine._target_=parts_of_mine.Metric", "logger.mine._target_", "Logger"),
    ],
)
def test_a_part_of_another_kind(word: str, key: str, kind: str, refused: Callable[..., str]) -> None:
    line = refused(*(word.split(" ", 1) if word.startswith("model=") else [word]))
    assert line.startswith(f"{key}="), line
    assert kind in line


@pytest.mark.parametrize(
    ("target", "more", "says"),
    [
        (f"{LIGHTNING}.StochasticWeightAveraging", "swa_lrs=0.1", "SWA"),
        (f"{LIGHTNING}.GradientAccumulationScheduler", "scheduling={0: 2}", "manual optimization"),
        (f"{LIGHTNING}.DeviceStatsMonitor", "cpu_stats=true", "logger=False"),
        (f"{LIGHTNING}.ThroughputMonitor", "window_size=3", ""),
    ],
)
def test_what_lightning_refuses_names_the_callback(
    target: str, more: str, says: str, refused: Callable[..., str]
) -> None:
    line = refused(f"++callback.theirs._target_={target}", f"++callback.theirs.{more}")
    assert line.startswith(("callback.theirs=", "callback.theirs.")), line
    assert says in line


def test_a_resumed_run_that_is_misconfigured_stays(ganvas: Callable[..., Any], tmp_path: Path) -> None:
    ganvas("train", *SMOKE, "callback=minimal", "callback.evaluation=null")
    (run,) = tmp_path.glob("outputs/*/*")
    theirs = f"  callback:\n    theirs:\n      _target_: {LIGHTNING}.DeviceStatsMonitor\n"
    text = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text(text.replace("  callback:\n", theirs))
    done = ganvas("resume", "latest", "trainer.max_examples=1280", "allow_drift=true", code=2)
    assert done.stderr.startswith("callback.theirs="), done.stderr
    assert list(run.glob("checkpoints/*.ckpt"))

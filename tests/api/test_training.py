from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from run_files import newest_checkpoint
from same_run import assert_same, rows

import ganvas
from ganvas.cli.main import main

SMOKE = ["trainer=smoke", "callback=minimal", "accelerator=cpu", "trainer.max_examples=320"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("model", ["mlp_gan", "mlp_vqvae"])
def test_trained_to_the_bit_as_by_the_command(tmp_path, model):
    """Whatever this process has set before: another default type, other draws, no gradients."""
    words = [*SMOKE, f"model={model}"]
    assert main(["train", *words, "paths.output_dir=command"]) == 0
    (command,) = tmp_path.glob("command/train/*")
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            run = ganvas.train(ganvas.compose([*words, "paths.output_dir=python"]))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(run.path, command)
    assert run.state == "finished"
    assert run.path.parent == Path("python/train")


def test_overrides_are_enough_and_a_config_trains_twice():
    config = ganvas.compose([*SMOKE, "seed=3"])
    one, two, three = ganvas.train(config), ganvas.train(config), ganvas.train([*SMOKE, "seed=3"])
    assert len({one.path, two.path, three.path}) == 3
    assert_same(one.path, two.path)
    assert_same(one.path, three.path)
    record = one.path.joinpath("run.yaml").read_text()
    assert "ganvas.train([" in record
    assert "seed=3" in record


def test_nothing_is_announced(capfd):
    run = ganvas.train([*SMOKE, "trainer.max_examples=128"])
    ganvas.resume(run, ["trainer.max_examples=192"])
    assert "examples, " not in capfd.readouterr().out


@pytest.mark.slow
def test_going_on():
    whole = ganvas.train([*SMOKE, "trainer.max_examples=640"])
    half = ganvas.train(SMOKE)
    again = ganvas.resume(half, ["trainer.max_examples=640"])
    assert again.path == half.path
    one, other = (newest_checkpoint(run.path)["state_dict"] for run in (again, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert rows(again.path / "metrics.jsonl")
    with pytest.raises(ganvas.OptionError, match=r"^model\.latent_dim=7: "):
        ganvas.resume(half, ["model.latent_dim=7"])


def test_errors_are_ganvas_own_and_nothing_is_written(tmp_path):
    for words, line in {
        ("model.latent_dm=3",): r"^model\.latent_dm=3: there is no such key .*did you mean model.latent_dim",
        ("data.batch_size=0",): r"^data\.batch_size=0: must be positive",
        ("resume=latest",): r"^resume=latest: .*ganvas\.resume",
        ("sweep.repeats=2",): r"^sweep\.repeats=2: ",
        ("hydra.run.dir=x",): r"^hydra\.run\.dir=x: ganvas does not use it",
    }.items():
        with pytest.raises(ganvas.OptionError, match=line):
            ganvas.train([*SMOKE, *words])
    for wrong in ("model=dcgan", 3, {"seed": 1}):
        with pytest.raises(ganvas.OptionError, match=r"^config=.*: must come from ganvas\.compose"):
            ganvas.train(wrong)
    with pytest.raises(ganvas.OptionError, match=r"^overrides=seed=1: must be a list"):
        ganvas.compose("seed=1")
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_diverge():
    words = [*SMOKE, "model.generator_optimizer.lr=1e30", "model.discriminator_optimizer.lr=1e30"]
    with pytest.raises(ganvas.NonFiniteError):
        ganvas.train(words)
    assert [run.state for run in ganvas.runs()] == ["failed"]


@pytest.mark.slow
def test_ctrl_c_saves_and_is_a_keyboard_interrupt(monkeypatch):
    from ganvas.model.gan import GAN

    step = GAN.step

    def interrupted(self, batch, draws):
        step(self, batch, draws)
        if self.batches_seen == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(GAN, "step", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"go on with ganvas\.resume\("):
            ganvas.train(SMOKE)
    (run,) = ganvas.runs()
    assert (run.state, run.status["examples_seen"]) == ("interrupted", 192)
    whole = ganvas.train(SMOKE)
    assert_same(ganvas.resume(run).path, whole.path)


@pytest.mark.slow
def test_parts_of_ones_own(tmp_path):
    (tmp_path / "conf/model/generator").mkdir(parents=True)
    (tmp_path / "conf/model/generator/own_of_mine.yaml").write_text(
        "_target_: own_of_mine.Own\nlatent_dim: ${model.latent_dim}\nsample_shape: ${data.sample_shape}\n"
    )
    (tmp_path / "conf/model/generator/own_of_mine.py").write_text(
        "from ganvas.model.generator.mlp import MLPGenerator\n\n\nclass Own(MLPGenerator):\n"
        "    def __init__(self, latent_dim: int, sample_shape: list[int]):\n"
        "        super().__init__(latent_dim=latent_dim, sample_shape=sample_shape, hidden_dim=8)\n"
    )
    config = ganvas.compose([*SMOKE, "model/generator=own_of_mine"], config_dir="conf")
    run = ganvas.train(config)
    assert type(run.generator).__name__ == "Own"
    for again in (ganvas.load(run), ganvas.load(run.path, config_dir="conf")):
        assert type(again.generator).__name__ == "Own"
    with pytest.raises(ganvas.OptionError, match="own_of_mine"):
        ganvas.load(run.path)
    assert np.isfinite(run.sample(3).numpy()).all()

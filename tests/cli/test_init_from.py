"""A run that begins with the weights of another one's networks."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from refusal import SMOKE, refused
from run_files import newest_checkpoint, newest_state

from ganvas.cli.main import main
from ganvas.errors import RollbackError
from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.gan import GAN

STILL = (
    "model.generator_optimizer.lr=1e-30",
    "model.discriminator_optimizer.lr=1e-30",
    "trainer.max_steps=1",
)
WORDS = ("train", "callback=none", "logger=none", "model=mlp_gan")


@pytest.fixture
def there(outputs: Path, tmp_path: Path) -> Path:
    """The runs ``a_gan`` and ``b_vqvae`` under ./outputs, so that their names find them."""
    shutil.copytree(outputs, tmp_path / "outputs")
    return tmp_path / "outputs" / "train"


def below(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys() != set()
    return all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("average", [False, True])
def test_it_begins_with_these_weights_and_a_clock_at_zero(average: bool, ganvas, there: Path) -> None:
    words = ("model.init_from=a_gan", f"model.init_average={str(average).lower()}", "seed=7")
    ganvas(*WORDS, *STILL, *words, "paths.run_dir=outputs/train/new")
    old, new = newest_state(there / "a_gan"), newest_state(there / "new")
    raw, averaged = below(old, "generator"), below(old, "ema.average")
    assert not same(raw, averaged)
    assert same(below(new, "generator"), averaged if average else raw)
    assert same(below(new, "ema.average"), below(new, "generator")), "the average begins as a copy"
    assert same(below(new, "discriminator"), below(old, "discriminator"))
    held = newest_checkpoint(there / "new")
    assert held["ganvas_clock"]["examples_seen"] == 64
    steps = [state["step"] for one in held["optimizer_states"] for state in one["state"].values()]
    assert {float(step) for step in steps} == {1.0}


def test_what_was_taken_is_noted(ganvas, there: Path) -> None:
    ganvas(*WORDS, *STILL, "model.init_from=latest:gan", "paths.run_dir=outputs/train/new")
    run = yaml.safe_load((there / "new" / "run.yaml").read_text())
    assert run["config"]["model"]["init_from"] == str(there / "a_gan")
    checkpoint = there / "a_gan" / "checkpoints" / "000000000128.ckpt"
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert run["ganvas"]["init_from"] == {"checkpoint": str(checkpoint), "sha256": sha256}
    assert f"from the weights of {checkpoint}" in (there / "new" / "train.log").read_text()


def test_it_is_resumed_where_the_other_run_is_gone(ganvas, there: Path) -> None:
    words = ("model.init_from=a_gan", "data.train_fraction=0.5", "model.freeze_discriminator_layers=1")
    ganvas(*WORDS, *words, "paths.run_dir=outputs/train/whole", "trainer.max_examples=256")
    ganvas(*WORDS, *words, "paths.run_dir=outputs/train/parts", "trainer.max_examples=128")
    shutil.rmtree(there / "a_gan")
    ganvas("resume", "parts", "trainer.max_examples=256")
    whole, parts = newest_checkpoint(there / "whole"), newest_checkpoint(there / "parts")
    assert parts["ganvas_clock"] == whole["ganvas_clock"]
    assert same(parts["state_dict"], whole["state_dict"]), "to the bit"
    ganvas("sample", "parts", "--num", "2", "--out", "x.png")
    for word in ("model.freeze_discriminator_layers=0", "model.init_average=true"):
        done = ganvas("resume", "parts", "trainer.max_examples=512", word, code=2)
        assert done.stderr.startswith(f"{word}: ")
        assert done.stderr.endswith(("leave it as it was\n", "leave it out\n"))


def test_one_that_was_stopped_before_its_first_checkpoint_begins_so_again(ganvas, there: Path) -> None:
    words = (*WORDS, "model.init_from=a_gan", "trainer.max_examples=128")
    ganvas(*words, "paths.run_dir=outputs/train/whole")
    shutil.copytree(there / "whole", there / "begun")
    shutil.rmtree(there / "begun" / "checkpoints")
    status = json.loads((there / "begun" / "status.json").read_text())
    (there / "begun" / "status.json").write_text(json.dumps(status | {"state": "running"}))
    ganvas("resume", "begun")
    assert same(newest_state(there / "begun"), newest_state(there / "whole"))
    shutil.rmtree(there / "begun" / "checkpoints")
    shutil.rmtree(there / "a_gan")
    done = ganvas("resume", "begun", "trainer.max_examples=256", code=2)
    assert done.stderr.startswith(f"model.init_from={there / 'a_gan'}: is no run's folder")


def test_one_that_goes_back_to_its_beginning_begins_so_again(
    ganvas, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = GAN.step

    def breaks_once(self: GAN, batch: Batch, draws: Draws) -> None:
        if not self.rollbacks:
            raise RollbackError("loss/generator", "it is not finite")
        step(self, batch, draws)

    monkeypatch.setattr(GAN, "step", breaks_once)
    ganvas(
        *WORDS,
        *STILL,
        "model.init_from=a_gan",
        "paths.run_dir=outputs/train/new",
        "trainer.non_finite=rollback",
    )
    old, new = newest_state(there / "a_gan"), newest_state(there / "new")
    assert json.loads((there / "new" / "status.json").read_text())["rollbacks"] == 1
    for part in ("generator", "discriminator"):
        assert same(below(new, part), below(old, part))


def test_frozen_layers_keep_the_weights_of_the_other_run(ganvas, there: Path) -> None:
    words = ("model.init_from=a_gan", "model.freeze_discriminator_layers=1", "trainer.max_examples=256")
    ganvas(*WORDS, *words, "paths.run_dir=outputs/train/new")
    old, new = newest_state(there / "a_gan"), newest_state(there / "new")
    first, head = "discriminator.network", "discriminator.head"
    assert same(below(new, first), below(old, first))
    assert not any(torch.equal(new[key], value) for key, value in old.items() if key.startswith(head))


def test_an_autoencoder_begins_so_too(ganvas, there: Path) -> None:
    words = ("model=mlp_vqvae", "model.optimizer.lr=1e-30", "model.quantizer.decay=0.99999999")
    more = ("model.init_from=b_vqvae", "trainer.max_steps=1", "paths.run_dir=outputs/train/new", "seed=3")
    ganvas("train", "callback=none", "logger=none", *words, *more)
    old, new = newest_state(there / "b_vqvae"), newest_state(there / "new")
    for part in ("encoder", "decoder"):
        assert same(below(new, part), below(old, part))
    torch.testing.assert_close(new["quantizer.codebook"], old["quantizer.codebook"], rtol=1e-4, atol=1e-4)


def test_a_check_begins_so_too(ganvas, there: Path, tmp_path: Path) -> None:
    ganvas("check", "model=mlp_gan", "model.init_from=a_gan")
    words = ["check", "model=mlp_gan", "model.generator.hidden_dim=8", "model.init_from=a_gan"]
    refused(ganvas, tmp_path, words, "model.init_from", "is of another generator")


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (
            "model.init_from=a_gan model.generator.hidden_dim=8",
            "model.init_from",
            "is of another generator: it holds layers.0.bias of (128,), the model (8,)",
        ),
        (
            "model.init_from=a_gan model.conditional=true",
            "model.init_from",
            "is of another generator: it holds layers.0.weight of (128, 100), the model (128, 110)",
        ),
        (
            "model.init_from=a_gan model/head=plain model.discriminator.hidden_dim=9",
            "model.init_from",
            "is of another discriminator: it holds head.linear.weight of (1, 128), the model (1, 9)",
        ),
        ("model.init_from=b_vqvae", "model.init_from", "has no generator; name the run of a model like"),
        ("model=mlp_vqvae model.init_from=a_gan", "model.init_from", "has no encoder"),
        ("model.init_from=c", "model.init_from", "no run's name begins so; "),
        ("model.init_from=''", "model.init_from", "is empty"),
        ("model.init_from=http://x/y", "model.init_from", "is an address; fetch the folder yourself"),
        ("model.init_from=[a_gan]", "model.init_from", "must be the name of a folder"),
        ("model.init_average=true", "model.init_average", "add model.init_from=RUN"),
        ("model.init_average=3 model.init_from=a_gan", "model.init_average", "must be true or false"),
        ("model.freeze_discriminator_layers=1", "model.freeze_discriminator_layers", "drawn at random"),
        (
            "model.freeze_discriminator_layers=2 model.init_from=a_gan",
            "model.freeze_discriminator_layers",
            "must be from 0 to 1, the layers of this discriminator",
        ),
    ],
)
def test_bad_input(words: str, key: str, part: str, ganvas, there: Path, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, [*SMOKE, *words.split()], key, part)


def test_a_run_without_an_average(ganvas, there: Path, tmp_path: Path) -> None:
    ganvas(*WORDS, "model/ema=none", "trainer.max_steps=1", "paths.run_dir=outputs/train/plain")
    ganvas(*WORDS, *STILL, "model.init_from=plain", "paths.run_dir=outputs/train/new")
    line = [*SMOKE, "model.init_from=plain", "model.init_average=true"]
    refused(ganvas, tmp_path, line, "model.init_average", "holds no average of weights")


def test_a_file_that_is_no_checkpoint_is_data(ganvas, there: Path, tmp_path: Path) -> None:
    path = there / "a_gan" / "checkpoints" / "000000000128.ckpt"

    class Code:
        def __reduce__(self) -> tuple:
            return (Path.write_text, (tmp_path / "executed", "x"))

    torch.save({"state_dict": Code()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")
    line = [*SMOKE, "model.init_from=a_gan"]
    refused(
        ganvas, tmp_path, line, "model.init_from", f"its checkpoints/{path.name} is no checkpoint of ganvas"
    )
    assert not (tmp_path / "executed").exists()
    path.write_bytes(pickle.dumps(1))
    part = "holds no whole checkpoint: the sha256 of each is wrong"
    refused(ganvas, tmp_path, line, "model.init_from", part)
    path.unlink()
    refused(ganvas, tmp_path, line, "model.init_from", "holds no checkpoint")
    path.symlink_to("/dev/zero")
    refused(ganvas, tmp_path, line, "model.init_from", "is a link out of the run's folder")


def test_latest_is_no_run_for_a_sweep(ganvas, there: Path, tmp_path: Path) -> None:
    line = [*SMOKE, "-m", "seed=1,2", "model.init_from=latest"]
    refused(ganvas, tmp_path, line, "model.init_from", "may be another job of this sweep; name the run")


@pytest.mark.slow
def test_ranks_and_jobs_of_a_sweep_begin_so(
    there: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*WORDS, *STILL, "model.init_from=a_gan", "trainer.max_steps=2")
    assert main([*words, "paths.run_dir=outputs/train/one"]) == 0
    two = ("accelerator=ddp_cpu", "accelerator.devices=2", "paths.run_dir=outputs/train/two")
    assert main([*words, *two]) == 0
    one, both = newest_state(there / "one"), newest_state(there / "two")
    assert same(one, both), "no step moves them"
    assert main([*words, "-m", "seed=1,2", "hydra.sweep.dir=outputs/sweep"]) == 0
    jobs = [path.parent.parent for path in (tmp_path / "outputs" / "sweep").glob("*/checkpoints/*.ckpt")]
    assert len(jobs) == 2
    assert all(same(newest_state(job), one) for job in jobs)


def test_every_recipe_has_the_options() -> None:
    for path in sorted((Path(__file__).parents[2] / "conf" / "model").glob("*.yaml")):
        node = yaml.safe_load(path.read_text())
        assert node["init_from"] is None, path
        assert "init_from" in node["_shared_"], path
        if node["_target_"] == "ganvas.model.gan.GAN":
            assert node["init_average"] is False, path
            assert "init_average" in node["_shared_"], path
            assert node["freeze_discriminator_layers"] == 0, path

"""What users get wrong: one line that names the key as they wrote it, exit code 2, nothing written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

SMOKE = ("train", "trainer=smoke", "callback=minimal", "logger=none")
CLASSES = ["data=image_folder", "data.root=classes"]
FSQ = ["model=mlp_vqvae", "model/quantizer=fsq"]


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """What the cases below name: an empty folder, a file, pictures of two classes, a truncated picture."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    for folder in ("classes/a", "classes/b", "truncated"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8), (number, 2, 3)).save(tmp_path / folder / f"{number}.png")
    picture = tmp_path / "truncated" / "3.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    return tmp_path


def refused(ganvas: Callable, folder: Path, words: list[str], key: str, *parts: str) -> None:
    """The contract of a user's error: ``key=value: reason; how to mend``, and nothing else anywhere."""
    before = {path for path in folder.rglob("*") if ".classes.ganvas" not in str(path)}
    done = ganvas(*words, code=2)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{key}="), line
    assert ": " in line
    for part in parts:
        assert part in line
    # The cache of decoded pictures is not part of a run.
    assert {path for path in folder.rglob("*") if ".classes.ganvas" not in str(path)} == before


# The key comes first, what the line must hold comes last; between them the overrides.
CASES: dict[str, tuple[list[str], str, list[str]]] = {
    "unknown_key": (["model.latent_dmi=3"], "model.latent_dmi", ["=3: ", "did you mean model.latent_dim?"]),
    "unknown_key_of_a_section": (["trainer.max_image=5"], "trainer.max_image", ["mean trainer.max_images?"]),
    "unknown_key_lists_its_section": (["model.ema.foo=1"], "model.ema.foo", ["there are: half_life"]),
    "unknown_key_of_a_chosen_option": (
        ["model/gradient_penalty=r1", "model.gradient_penalty.gama=1"],
        "model.gradient_penalty.gama",
        ["mean model.gradient_penalty.gamma?"],
    ),
    "added_key": (["+model.foo=3"], "model.foo", ["is not an option of model", "latent_dim"]),
    "added_key_that_is_there": (["+seed=3"], "seed", ["without the +"]),
    "unknown_option": (["model=mlp_gna"], "model", ["=mlp_gna: ", "did you mean mlp_gan?"]),
    "unknown_nested_option": (
        ["model/gradient_penalty=r3"],
        "model/gradient_penalty",
        ["none, r1, r1_r2, r2, wgan_gp"],
    ),
    "unknown_group": (["modle=mlp_gan"], "modle", ["did you mean model?"]),
    "group_of_another_model": (
        ["model=mlp_vqvae", "model/adversarial_loss=hinge"],
        "model/adversarial_loss",
        ["no such key or group"],
    ),
    "option_null": (["model=null"], "model", ["dcgan, mlp_gan"]),
    "word_for_a_number": (["model.latent_dim=abc"], "model.latent_dim", ["a whole number"]),
    "fraction_for_a_whole_number": (["model.latent_dim=1.5"], "model.latent_dim", ["a whole number"]),
    "list_for_a_number": (["data.batch_size=[1,2]"], "data.batch_size", ["a whole number"]),
    "number_for_a_switch": (["data.horizontal_flip=1"], "data.horizontal_flip", ["true or false"]),
    "number_for_a_list": ([*FSQ, "model.quantizer.levels=5"], "model.quantizer.levels", ["=5: "]),
    "no_value": (["model.latent_dim="], "model.latent_dim", ["a whole number"]),
    "lr_word": (["model.generator_optimizer.lr=abc"], "model.generator_optimizer.lr", ["a number"]),
    "lr_dot_nan": (["model.generator_optimizer.lr=.nan"], "model.generator_optimizer.lr", ["a number"]),
    "lr_nan": (["model.generator_optimizer.lr=nan"], "model.generator_optimizer.lr", ["finite"]),
    "lr_inf": (["model.generator_optimizer.lr=inf"], "model.generator_optimizer.lr", ["finite"]),
    "lr_negative": (["model.generator_optimizer.lr=-1"], "model.generator_optimizer.lr", ["positive"]),
    "lr_zero": (["model=mlp_vqvae", "model.optimizer.lr=0"], "model.optimizer.lr", ["positive"]),
    "seed_negative": (["seed=-1"], "seed", ["=-1: ", "[0, 2^63)"]),
    "seed_null": (["seed=null"], "seed", ["whole number"]),
    "seed_true": (["seed=true"], "seed", ["=true: "]),
    "vqvae_latent_dim": (["model=mlp_vqvae", "model.latent_dim=0"], "model.latent_dim", ["=0: "]),
    "vqvae_num_vectors_zero": (["model=mlp_vqvae", "model.num_vectors=0"], "model.num_vectors", ["=0: "]),
    "vqvae_num_vectors": (["model=mlp_vqvae", "model.num_vectors=-1"], "model.num_vectors", ["=-1: "]),
    "num_embeddings": (["model=mlp_vqvae", "model.num_embeddings=0"], "model.num_embeddings", ["at least 1"]),
    "num_embeddings_negative": (
        ["model=mlp_vqvae", "model.num_embeddings=-3"],
        "model.num_embeddings",
        ["=-3: "],
    ),
    "generator_base_channels": (
        ["model=dcgan", "model.generator.base_channels=0"],
        "model.generator.base_channels",
        ["at least 1"],
    ),
    "discriminator_base_channels": (
        ["model=dcgan", "model.discriminator.base_channels=-8"],
        "model.discriminator.base_channels",
        ["at least 1"],
    ),
    "hidden_channels": (
        ["model=vqvae", "model.encoder.hidden_channels=0"],
        "model.encoder.hidden_channels",
        ["at least 2"],
    ),
    "levels_of_two": ([*FSQ, "model.quantizer.levels=[2,2]"], "model.quantizer.levels", ["at least 3"]),
    "levels_none": ([*FSQ, "model.quantizer.levels=[]"], "model.quantizer.levels", ["=[]: "]),
    "d_steps": (["model.d_steps_per_g_step=0"], "model.d_steps_per_g_step", ["at least 1"]),
    "keep_last": (["callback.checkpoint.keep_last=0"], "callback.checkpoint.keep_last", ["at least 1"]),
    "num_workers": (["data.num_workers=-1"], "data.num_workers", ["0 or more"]),
    "no_budget": (["trainer.max_images=null"], "trainer.max_images", ["=null: ", "max_epochs"]),
    "max_time": (["trainer.max_time=foo"], "trainer.max_time", ["DD:HH:MM:SS"]),
    "profiler": (["trainer.profiler=foo"], "trainer.profiler", ["simple"]),
    "val_check_interval": (["trainer.val_check_interval=1000"], "trainer.val_check_interval", ["22 batches"]),
    "precision": (["accelerator.precision=foo"], "accelerator.precision", ["bf16-mixed"]),
    "accelerator": (["accelerator.accelerator=tpu"], "accelerator.accelerator", ["auto, cpu, gpu"]),
    "devices_too_many": (["accelerator.devices=500"], "accelerator.devices", ["this machine has"]),
    "devices_none": (["accelerator.devices=0"], "accelerator.devices", ["at least 1"]),
    "devices_numbers_of_a_cpu": (
        ["accelerator=cpu", "accelerator.devices=[0,0]"],
        "accelerator.devices",
        ["how many"],
    ),
    "batch_not_shared_evenly": (["accelerator=ddp_cpu", "data.batch_size=9"], "data.batch_size", ["the 2"]),
    "batch_larger_than_data": (["data.batch_size=5000"], "data.batch_size", ["1437"]),
    "size_that_dcgan_cannot_make": (
        ["model=dcgan", "data.image_size=30"],
        "data.image_size",
        ["16, 32, 64, 128"],
    ),
    "size_that_vqvae_cannot_make": (
        ["model=vqvae", "data.image_size=30", "model.encoder.hidden_channels=4"],
        "data.image_size",
        ["=30: ", "[1, 28, 28]"],
    ),
    "points_for_pictures": (["model=dcgan", "data=toy"], "data.channels", ["pictures"]),
    "no_root": (["data=image_folder"], "data.root", ["=null: "]),
    "root_absent": (["data=image_folder", "data.root=nowhere"], "data.root", ["does not exist"]),
    "root_empty": (["data=image_folder", "data.root=empty"], "data.root", ["holds no pictures"]),
    "root_is_a_file": (["data=image_folder", "data.root=file.txt"], "data.root", ["is a file"]),
    "truncated_picture": (["data=image_folder", "data.root=truncated"], "data.root", ["truncated/3.png: "]),
    "class_count": ([*CLASSES, "data.num_classes=3"], "data.num_classes", ["has 2 classes"]),
    "batch_larger_than_folder": ([*CLASSES, "data.batch_size=9"], "data.batch_size", ["8 training samples"]),
    "output_root_is_a_file": (["paths.output_dir=file.txt"], "paths.output_dir", ["is a file"]),
    "output_below_a_file": (["paths.output_dir=file.txt/below"], "paths.output_dir", ["is a file"]),
    "output_null": (["paths.output_dir=null"], "paths.output_dir", ["a folder"]),
    "run_dir_is_a_file": (["paths.run_dir=file.txt"], "paths.run_dir", ["is a file"]),
    "run_dir_exists": (["paths.run_dir=empty"], "paths.run_dir", ["exists"]),
    "name_leaves_the_folder": (["name=a/../../b"], "name", ["without /"]),
    "name_null": (["name=null"], "name", ["=null: "]),
    "cycle": (
        ["seed=${model.latent_dim}", "model.latent_dim=${seed}"],
        "seed",
        ["=${model.latent_dim}: ", "cycle"],
    ),
    "interpolation_of_nothing": (["seed=${nope}"], "seed", ["'nope' not found"]),
    "removed_section": (["~model"], "~model", ["leave it"]),
    "sweep_without_m": (["model=mlp_gan,dcgan"], "model", ["add -m"]),
    "resume_nothing": (["resume=latest"], "resume", ["no run under outputs"]),
    "unimportable": (["model._target_=ganvas.model.gna.GAN"], "model._target_", ["No module named"]),
    "no_recipe": (["model._target_=torch.nn.Identity"], "model._target_", ["Recipe"]),
    "no_data": (["data._target_=null"], "data._target_", ["is no data"]),
    "words_after_an_open_brace": (["model={"], "model", ["quote special characters"]),
    "no_equals_sign": (["model.latent_dim"], "model.latent_dim", ["write key=value"]),
    "no_key": (["=3"], "", ["=3: has no key"]),
    "unknown_flag": (["--foo"], "--foo", ["no such flag"]),
    "misspelt_flag": (["--multirn"], "--multirn", ["did you mean --multirun?"]),
    "config_dir_absent": (["--config-dir", "nowhere"], "--config-dir", ["=nowhere: "]),
    "config_name_absent": (["--config-name", "nope"], "--config-name", ["=nope: "]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_train_refuses(case: str, ganvas, there: Path) -> None:
    words, key, parts = CASES[case]
    smoke = [word for word in SMOKE if not (case == "no_budget" and word == "trainer=smoke")]
    refused(ganvas, there, [*smoke, *words], key, *parts)


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("model.latent_dim", 0),
        ("model.latent_dim", -4),
        ("model.generator.hidden_dim", 0),
        ("model.grad_clip", -1),
        ("model.ema.half_life", 0),
        ("data.batch_size", 0),
        ("data.batch_size", -4),
        ("data.image_size", 0),
        ("data.image_size", -4),
        ("data.channels", 0),
        ("trainer.max_images", 0),
        ("trainer.max_images", -4),
        ("trainer.max_epochs", -1),
        ("trainer.max_steps", 0),
        ("trainer.log_every_images", 0),
        ("trainer.val_every_images", -1),
        ("trainer.val_check_interval", 0),
        ("trainer.check_val_every_n_epoch", 0),
        ("accelerator.num_nodes", 0),
        ("accelerator.threads", 0),
    ],
)
def test_sizes_are_positive(key: str, size: int, ganvas, there: Path) -> None:
    refused(ganvas, there, [*SMOKE, f"{key}={size}"], key)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["+x._target_=os.system", "+x.command='touch canary'"], "x._target_"),
        (
            ["+callback.x._target_=os.system", "+callback.x.command='touch canary'"],
            "callback.x._target_",
        ),
        (["+callback.x._target_=canary_module.nothing"], "callback.x._target_"),
        (["metric.features._target_=canary_module.nothing"], "metric.features._target_"),
        (["allow_imports=[os]", "+model.x._target_=subprocess.run"], "model.x._target_"),
    ],
)
def test_foreign_code_is_refused_before_it_is_imported(
    words: list[str], key: str, ganvas, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there / "canary_module.py").write_text("open('canary', 'w').close()\ndef nothing(): ...\n")
    monkeypatch.syspath_prepend(str(there))
    refused(ganvas, there, [*SMOKE, *words], key, "outside the allow-list")
    assert not (there / "canary").exists()


def test_quoted_number_is_a_number(ganvas, tmp_path: Path) -> None:
    ganvas(*SMOKE, "trainer.max_images=64", "model.generator_optimizer.lr='1e-3'")
    assert list(tmp_path.glob("outputs/*/*/checkpoints/*.ckpt"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a GAN ``20_gan`` and two VQ-VAEs ``20_vq`` and ``20_vq2``."""
    from ganvas.cli.main import main

    folder = tmp_path_factory.mktemp("runs")
    for name, model in (("20_gan", "mlp_gan"), ("20_vq", "mlp_vqvae"), ("20_vq2", "mlp_vqvae")):
        words = [f"model={model}", f"paths.run_dir={folder}/o/train/{name}", "trainer.max_images=64"]
        assert main([*SMOKE, "callback=none", *words]) == 0
    return folder / "o"


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["sample", "30"], "RUN", "no run's name begins so"),
        (["sample", "20"], "RUN", "fits 3 runs"),
        (["resume", "20_v"], "RUN", "fits 2 runs"),
        (["sample", "20_gn"], "RUN", "did you mean 20_gan?"),
        (["sample", "20_vq2"], "RUN", "ganvas reconstruct takes it"),
        (["reconstruct", "20_gan"], "RUN", "ganvas sample takes it"),
        (["sample", "20_gan", "--num", "0"], "--num", "at least 1"),
        (["reconstruct", "20_vq2", "--num", "-3"], "--num", "at least 1"),
        (["evaluate", "20_gan", "--num", "0"], "--num", "at least 1"),
        (["reconstruct", "20_vq2", "--num", "5000"], "--num", "ask for fewer"),
        (["sample", "20_gan", "--out", "x.jpg"], "--out", ".png or .npz"),
        (["sample", "20_gan", "--out", "file.txt/x.png"], "--out", "is a file"),
        (["sample", "20_gan", "--batch-size", "0"], "--batch-size", "at least 1"),
        (["reconstruct", "20_vq2", "--batch-size", "-1"], "--batch-size", "at least 1"),
        (["evaluate", "20_gan", "--features", "pixel"], "--features", "did you mean pixels?"),
        (["resume", "20_gan", "trainer.max_image=9"], "trainer.max_image", "did you mean max_images?"),
        (["resume", "20_gan", "trainer.max_images=many"], "trainer.max_images", "whole number"),
        (["resume", "20_gan", "model.latent_dim=7"], "model.latent_dim", "leave it as it was"),
        (["resume", "20_gan", "model.discriminator.hidden_dim=7"], "model.discriminator.hidden_dim", "(7,"),
    ],
)
def test_commands_that_take_a_run_refuse(
    words: list[str], key: str, part: str, ganvas, there: Path, runs: Path
) -> None:
    before = sorted(runs.rglob("*"))
    refused(ganvas, there, [*words, "--output-dir", str(runs)], key, part)
    assert sorted(runs.rglob("*")) == before


@pytest.mark.parametrize("command", ["sample", "reconstruct", "evaluate", "resume"])
def test_no_run_at_all(command: str, ganvas, there: Path) -> None:
    refused(ganvas, there, [command, "latest"], "RUN", "=latest: ", "ganvas train makes one")


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["trian"], "command", "did you mean train?"),
        (["zzz"], "command", "there are: train, resume"),
        (["sample", "latest", "--nmu", "3"], "ganvas sample", "--nmu"),
        (["sample", "latest", "--num", "three"], "ganvas sample", "three"),
        (["sample"], "ganvas sample", "RUN"),
        (["evaluate", "latest", "--split", "foo"], "ganvas evaluate", "foo"),
        (["runs", "rm"], "ganvas runs", "rm"),
    ],
)
def test_words_that_name_nothing(words: list[str], key: str, part: str, ganvas, there: Path) -> None:
    refused(ganvas, there, words, key, part)


def test_debug_shows_the_traceback(ganvas, there: Path) -> None:
    done = ganvas(*SMOKE, "model.latent_dim=-1", "--debug", code=2)
    assert "Traceback (most recent call last)" in done.stderr
    assert "model.latent_dim=-1: " in done.stderr
    assert not (there / "outputs").exists()


def test_answers_within_seconds(tmp_path: Path) -> None:
    """A process of its own, counted in CPU time: the machine may be busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-m", "ganvas", *SMOKE, "model.latent_dim=-1"],
        cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 2
    assert ended.stderr == "model.latent_dim=-1: must be at least 1; set a positive whole number\n"
    assert not list(tmp_path.iterdir())
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10

"""Keys, groups, flags and files of config that do not exist or cannot be read; the catalogue of bad input."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from refusal import SMOKE, refused

FSQ = ["model=mlp_vqvae", "model/quantizer=fsq"]
LONG = "x" * 300

# What is wrong: the overrides, the key that the line must name, what the line must hold.
CASES: dict[str, tuple[list[str], str, list[str]]] = {
    "key": (["model.latent_dmi=3"], "model.latent_dmi", ["=3: ", "did you mean model.latent_dim?"]),
    "key_of_a_section": (["trainer.max_example=5"], "trainer.max_example", ["mean trainer.max_examples?"]),
    "key_and_what_there_is": (["model.ema.foo=1"], "model.ema.foo", ["there are: half_life, ramp"]),
    "key_of_a_chosen_option": (
        ["model/gradient_penalty=r1", "model.gradient_penalty.gama=1"],
        "model.gradient_penalty.gama",
        ["mean model.gradient_penalty.gamma?"],
    ),
    "key_of_another_model": (["model.num_embeddings=0"], "model.num_embeddings", ["are: ", "latent_dim"]),
    "added_key": (["+model.foo=3"], "model.foo", ["is not an option of model", "latent_dim"]),
    "added_key_that_is_there": (["+seed=3"], "seed", ["without the +"]),
    "option": (["model=mlp_gna"], "model", ["=mlp_gna: ", "did you mean mlp_gan?"]),
    "nested_option": (
        ["model/gradient_penalty=r3"],
        "model/gradient_penalty",
        ["dragan, none, r1, r1_r2, r2, wgan_gp"],
    ),
    "experiment": (["experiment=nope"], "experiment", ["quickstart_gan"]),
    "group": (["modle=mlp_gan"], "modle", ["did you mean model?"]),
    "group_of_another_model": (
        ["model=mlp_vqvae", "model/adversarial_loss=hinge"],
        "model/adversarial_loss",
        ["no such key or group"],
    ),
    "option_null": (["model=null"], "model", ["there are: autoregressive", "mlp_gan"]),
    "option_number": (["trainer=5"], "trainer", ["deterministic, long, smoke"]),
    "option_empty": (["trainer="], "trainer", ["deterministic, long, smoke"]),
    "option_list_of_numbers": (["callback=[1]"], "callback", ["minimal, none"]),
    "option_section": (["model={a:1}"], "model", ["no such key or group"]),
    "two_options": (["model=mlp_gan,dcgan"], "model", ["add -m"]),
    "part_that_is_a_number": (["model.generator=5"], "model.generator", ["must be Module"]),
    "features_that_are_a_number": (["metric.features=5"], "metric.features", ["must be FeatureExtractor"]),
    "callback_that_is_a_number": (["+callback.x=5"], "callback.x", ["must be a section with a _target_"]),
    "logger_that_is_a_list": (["+logger.x=[1]"], "logger.x", ["must be a section with a _target_"]),
    "augmented_points": (
        ["model/augment=ada", "data=toy"],
        "model.augment",
        ["changes images", "here is [2]"],
    ),
    "strength_of_no_penalty": (
        ["model/schedule@model.gradient_penalty.gamma=cosine", "model.gradient_penalty.gamma.first=0.1"],
        "model.gradient_penalty.gamma.first",
        ["nothing reads it with model/gradient_penalty=none; ", "choose another model/gradient_penalty"],
    ),
    "schedule_without_value": (
        ["model/schedule@model.instance_noise=linear"],
        "model.instance_noise.first",
        ["has no value yet; give it one, model.instance_noise.first=VALUE"],
    ),
    "key_of_a_part_that_is_not_chosen": (
        ["model.augment.p=0.3"],
        "model.augment.p",
        ["no such key or group here; model/augment=ada or apa has it"],
    ),
    "key_of_a_regularizer_that_is_not_chosen": (
        ["model/regularizer=[cr]", "model.regularizer.lecam.weight=1"],
        "model.regularizer.lecam.weight",
        ["no such key or group here; model/regularizer=lecam has it"],
    ),
    "regularizer_of_images": (
        ["model/regularizer=[cr]", "data=toy"],
        "model.regularizer.cr",
        ["=[2]: changes images"],
    ),
    "probabilities_of_an_unbounded_decoder": (
        ["model=vqvae", "model/reconstruction_loss=[l1,bce]"],
        "model.decoder.output",
        ["=linear: the reconstruction loss takes samples in [-1, 1] alone", "; tanh"],
    ),
    "features_that_are_not_there": (
        [
            *("model=mlp_vqvae", "model/reconstruction_loss=[l1,perceptual]"),
            "metric/features@model.reconstruction_loss.perceptual.features=classifier",
        ],
        "model.reconstruction_loss.perceptual.features",
        ["=classifier: no classifier of these data is trained yet; ganvas train model=classifier"],
    ),
    "features_of_points": (
        [
            *("model=mlp_vqvae", "model/reconstruction_loss=perceptual", "data=toy"),
            "metric/features@model.reconstruction_loss.perceptual.features=efficientnet_lite0",
        ],
        "model.reconstruction_loss.perceptual.features",
        ["=efficientnet_lite0: ", "@model.reconstruction_loss.perceptual.features=pixels takes anything"],
    ),
    "weight_of_a_loss": (
        ["model=mlp_vqvae", "model.reconstruction_loss.mse.weight=0"],
        "model.reconstruction_loss.mse.weight",
        ["must be positive; a loss that shall not count is left out"],
    ),
    "patches_and_doublings": (
        ["model=vqvae", "model/encoder=vit", "model.encoder.patch_size=2"],
        "data.image_size",
        ["an input of shape [2, 64, 4, 4] where the network takes [B, 64, 2, 2]"],
    ),
    "attention_at_no_map": (
        [*("model=vqvae", "model/encoder=resnet", "model/decoder=resnet"), "model.encoder.attention_at=[7]"],
        "model.encoder.attention_at",
        ["=[7]: has no map of side 7; there are 2, 4, 8"],
    ),
    "classes_of_the_model": (
        ["model.conditional=true", "model.num_classes=5"],
        "model.num_classes",
        ["=5: must be that of the data, 10; leave it out"],
    ),
    "classes_of_the_generator": (
        ["model.conditional=true", "model.generator.num_classes=5"],
        "model.generator.num_classes",
        ["=5: must be that of the data, 10; leave it out"],
    ),
    "classes_of_a_generator_that_reads_labels_alone": (
        ["model.generator.num_classes=5"],
        "model.generator.num_classes",
        ["=5: must be that of the data, 10; leave it out"],
    ),
    "classes_of_a_classifier": (
        ["model=classifier", "model.network.num_classes=5"],
        "model.network.num_classes",
        ["=5: must be that of the data, 10; leave it out"],
    ),
    "one_sample_beside_none": (
        ["model.conditional=true", "model/head=contrastive", "trainer.micro_batches=64"],
        "data.batch_size",
        ["=64: gives 1 sample to a forward pass, and ContrastiveHead compares samples"],
    ),
    "p_of_zero": (
        ["model/augment=apa", "model.augment.adapt=false"],
        "model.augment.p",
        ["=0.0: ", "changes nothing"],
    ),
    "p_by_two": (
        ["model/augment=ada", "model/schedule@model.augment.p=cosine", "model.augment.p.first=0.5"],
        "model.augment.adapt",
        ["has a schedule; adapt=false"],
    ),
    "allow_imports_word": (["allow_imports=foo"], "allow_imports", ["must be a list of modules"]),
    "allow_imports_number": (["allow_imports=[5]"], "allow_imports", ["must be a list of modules"]),
    "allow_drift": (["allow_drift=5"], "allow_drift", ["must be true or false"]),
    "removed_section": (["~model"], "~model", ["leave it"]),
    "removed_key": (["~trainer.log_every_examples"], "trainer.log_every_examples", ["is missing; give "]),
    "unimportable": (["model._target_=ganvas.model.gna.GAN"], "model._target_", ["No module named"]),
    "no_recipe": (["model._target_=torch.nn.Identity"], "model._target_", ["Recipe"]),
    "no_data": (["data._target_=null"], "data._target_", ["is no data"]),
    "open_brace": (["model={"], "model", ["quote special characters"]),
    "no_equals_sign": (["model.latent_dim"], "model.latent_dim", ["write key=value"]),
    "no_key": (["=3"], "", ["=3: has no key"]),
    "letter_that_is_none": (["name=a\0b"], "name", ["quote special characters"]),
    "flag": (["--foo"], "--foo", ["no such flag"]),
    "misspelt_flag": (["--multirn"], "--multirn", ["did you mean --multirun?"]),
    "config_dir_absent": (["--config-dir", "nowhere"], "--config-dir", ["=nowhere: ", "there is no such"]),
    "config_dir_is_a_file": (["--config-dir", "file.txt"], "--config-dir", ["there is no such folder"]),
    "config_dir_of_nothing": (["--config-dir"], "--config-dir", ["expected one argument"]),
    "config_name_absent": (["--config-name", "nope"], "--config-name", ["=nope: "]),
    # Interpolations.
    "cycle": (["seed=${model.latent_dim}", "model.latent_dim=${seed}"], "seed", ["cycle; give one"]),
    "cycle_of_one": (["name=${name}"], "name", ["=${name}: ", "cycle; give one"]),
    "cycle_of_added_keys": (["+a=${b}", "+b=${a}"], "a", ["=${b}: ", "cycle; give one"]),
    "interpolation_of_nothing": (["seed=${nope}"], "seed", ["'nope' not found"]),
    "interpolation_of_the_environment": (["seed=${oc.env:NOPE_X}"], "seed", ["NOPE_X", "another value"]),
    "interpolation_by_nothing": (["model.latent_dim=${nope:3}"], "model.latent_dim", ["type nope"]),
    # Names and places.
    "name_empty": (["name="], "name", ["must be the name of one folder"]),
    "name_leaves_the_folder": (["name=a/../../b"], "name", ["without /"]),
    "name_dots": (["name=.."], "name", ["without /"]),
    "name_null": (["name=null"], "name", ["=null: "]),
    "name_list": (["name=[1]"], "name", ["must be the name"]),
    "name_long": ([f"name={LONG}"], "name", ["is too long; a name has at most 200 bytes"]),
    "name_very_long": (["name=" + "x" * 200_000], "name", ["is longer than a command line takes"]),
    "output_empty": (["paths.output_dir="], "paths.output_dir", ["=: is empty; give a name"]),
    "output_null": (["paths.output_dir=null"], "paths.output_dir", ["a folder"]),
    "output_long": ([f"paths.output_dir={LONG}"], "paths.output_dir", ["is too long"]),
    "output_deep": (["paths.output_dir=" + "x/" * 2000], "paths.output_dir", ["is too long"]),
    "output_is_a_file": (["paths.output_dir=file.txt"], "paths.output_dir", ["is a file; name a folder"]),
    "output_below_a_file": (["paths.output_dir=file.txt/below"], "paths.output_dir", ["file.txt is a file"]),
    "run_dir_empty": (["paths.run_dir="], "paths.run_dir", ["=: is empty; give a name"]),
    "run_dir_number": (["paths.run_dir=5"], "paths.run_dir", ["must be the name of a folder"]),
    "run_dir_is_a_file": (["paths.run_dir=file.txt"], "paths.run_dir", ["is a file"]),
    "run_dir_exists": (["paths.run_dir=empty"], "paths.run_dir", ["exists; each run needs a folder"]),
    "resume_empty": (["resume="], "resume", ["=: is empty; give a name"]),
    "resume_true": (["resume=true"], "resume", ["must be the name"]),
    "resume_nothing": (["resume=latest"], "resume", ["no run under outputs"]),
    "resume_a_file": (["resume=file.txt"], "resume", ["no run under outputs"]),
}


@pytest.mark.parametrize("case", CASES)
def test_train_refuses(case: str, ganvas, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, key, parts = CASES[case]
    monkeypatch.setenv("GANVAS_CACHE", str(there / "empty"))  # no classifier of another test's
    refused(ganvas, there, [*SMOKE, *words], key, *parts)


@pytest.mark.parametrize(
    ("files", "words", "key", "parts"),
    [
        (
            {"experiment/x": "# @package _global_\na: ${b}\nb: ${a}\n"},
            ["experiment=x"],
            "a",
            ["=${b}: ", "cycle; give one"],
        ),
        (
            {"data/x": "defaults: [digits]\nbatch_size: ${data.seed}\nseed: ${data.batch_size}\n"},
            ["data=x"],
            "data.batch_size",
            ["=${data.seed}: ", "cycle; give one"],
        ),
        ({"data/x": "defaults: [y]\n", "data/y": "defaults: [x]\n"}, ["data=x"], "data", ["=x: ", "circle"]),
        ({"data/x": "a: [1,\nb"}, ["data=x"], "data", ["=x: ", "data/x.yaml is no YAML", "line 2"]),
        ({"data/x": "a:\n\tb: 1"}, ["data=x"], "data", ["=x: ", "data/x.yaml is no YAML", "line 2"]),
        ({"data/x": "a: 1\na: 2\n"}, ["data=x"], "data", ["=x: ", "duplicate key a in line 2"]),
        ({"data/x": "\udcff\udcfe"}, ["data=x"], "data", ["=x: ", "data/x.yaml is no text (UTF-8)"]),
        (
            {"data/x": "a: 1\n"},
            ["data=x"],
            "data",
            ["=x: has no sample_shape", "choose another model, or other data"],
        ),
        ({"data/x": "defaults: [nope]\n"}, ["data=x"], "data", ["=nope: ", "there is no such option"]),
        (
            {"data/x": "defaults: [{digits: {a: 1}}]\n"},
            ["data=x"],
            "data",
            ["=x: ", "data/x.yaml is none", "write - group: option"],
        ),
        ({}, [f"data={'x' * 6000}"], "data", ["=xxx", "no file has so long a name"]),
    ],
    ids=[
        "cycle",
        "cycle_in_a_group",
        "circle_of_defaults",
        "no_yaml",
        "tab",
        "duplicate_key",
        "no_text",
        "missing_keys",
        "missing_default",
        "defaults_that_are_none",
        "long_name",
    ],
)
def test_a_users_own_yaml(files, words: list[str], key: str, parts: list[str], ganvas, there: Path) -> None:
    (there / "conf").mkdir()
    for name, text in files.items():
        path = there / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
    refused(ganvas, there, [*SMOKE, "--config-dir", "conf", *words], key, *parts)


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["+x._target_=os.system", "+x.command='touch canary'"], "x._target_", "=os.system: "),
        (["+callback.x._target_=os.system", "+callback.x.command=ls"], "callback.x._target_", "=os.system: "),
        (["+callback.x._target_=canary_module.nothing"], "callback.x._target_", "canary_module"),
        (["metric.features._target_=canary_module.nothing"], "metric.features._target_", "canary_module"),
        (["allow_imports=[os]", "+model.x._target_=subprocess.run"], "model.x._target_", "subprocess"),
    ],
)
def test_foreign_code_is_refused_before_it_is_imported(
    words: list[str], key: str, part: str, ganvas, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there / "canary_module.py").write_text("open('canary', 'w').close()\ndef nothing(): ...\n")
    monkeypatch.syspath_prepend(str(there))
    refused(ganvas, there, [*SMOKE, *words], key, part, "outside the allow-list")
    assert not (there / "canary").exists()


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["trian"], "command", "did you mean train?"),
        (["zzz"], "command", "there are: train, check"),
        (["train", "--cfg"], "--cfg", "expected one argument"),
        (["train", "--cfg", "foo"], "--cfg", "=foo: must be one of job, hydra, all"),
        (["train", "--cfg", "job", "model=nope"], "model", "there are: autoregressive, biggan"),
        (["train", "--cfg", "job", "--resolve", "seed=${seed}"], "seed", "cycle"),
        (["train", "--cfg", "job", "--config-dir", "nowhere"], "--config-dir", "no such folder"),
        (["train", "--cfg", "job", "-m", "seed=1,2"], "--multirun", "leave out -m"),
        (["train", "-m", "model=mlp_gan,nope"], "model", "=nope: "),
        (["train", "-m", "foo=1,2"], "foo", "=1: there is no such key"),
        (["sample", "latest", "--nmu", "3"], "--nmu", "did you mean --num?"),
        (["sample", "latest", "--num", "three"], "--num", "=three: must be a whole number"),
        (["sample"], "RUN", "is missing"),
        (["evaluate", "latest", "--split", "foo"], "--split", "=foo: must be one of train, val, test"),
        (["runs", "rm"], "RUN", "is missing"),
    ],
)
def test_words_that_name_nothing(words: list[str], key: str, part: str, ganvas, there: Path) -> None:
    refused(ganvas, there, words, key, part)


def test_what_prints_a_config_still_prints_it(ganvas, tmp_path: Path) -> None:
    assert "latent_dim: 5" in ganvas("train", "--cfg", "job", "model.latent_dim=5").stdout
    assert not list(tmp_path.iterdir())


def test_null_switches_a_callback_off(ganvas, tmp_path: Path) -> None:
    ganvas(*SMOKE, "callback.checkpoint=null")
    assert list(tmp_path.glob("outputs/*/*/metrics.jsonl"))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_debug_shows_the_traceback(ganvas, there: Path) -> None:
    done = ganvas(*SMOKE, "model.latent_dim=-1", "--debug", code=2)
    assert "Traceback (most recent call last)" in done.stderr
    assert "model.latent_dim=-1: " in done.stderr
    assert not (there / "outputs").exists()


@pytest.mark.real_processes
def test_answers_within_seconds(tmp_path: Path) -> None:
    """A process of its own, counted in CPU time: the machine may be busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-m", "ganvas", *SMOKE, "model.latent_dim=-1"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 2
    assert ended.stderr == "model.latent_dim=-1: must be at least 1; set a positive whole number\n"
    assert not list(tmp_path.iterdir())
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10

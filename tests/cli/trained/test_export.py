from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ganvas.functional.images import to_uint8
from ganvas.model.generator.dcgan import DCGANGenerator
from ganvas.run.config.build import build
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run
from ganvas.version import __version__


def test_the_average_of_a_generator_is_what_samples_use(ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("export", str(outputs / "train" / "a_gan"), "--out", "w.safetensors")
    assert done.stdout == "w.safetensors\n"
    tensors = load_file(tmp_path / "w.safetensors")
    model, _, _ = load_run(RunFolder(outputs / "train" / "a_gan"))
    average = model.ema.average.state_dict()
    assert tensors.keys() == {f"generator.{key}" for key in average}
    for key, value in average.items():
        assert torch.equal(tensors[f"generator.{key}"], value)
        assert tensors[f"generator.{key}"].dtype == value.dtype
    expected = model.sample(5, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model.ema.average.load_state_dict({key.removeprefix("generator."): x for key, x in tensors.items()})
    assert torch.equal(model.sample(5, 3), expected)


def test_raw_weights_are_the_trained_ones(ganvas, outputs: Path, tmp_path: Path) -> None:
    for flags in ([], ["--raw"]):
        ganvas("export", str(outputs / "train" / "a_gan"), *flags, "--out", f"{len(flags)}.safetensors")
    model, _, _ = load_run(RunFolder(outputs / "train" / "a_gan"))
    raw, averaged = load_file(tmp_path / "1.safetensors"), load_file(tmp_path / "0.safetensors")
    for key, value in model.generator.state_dict().items():
        assert torch.equal(raw[f"generator.{key}"], value)
    assert any(not torch.equal(raw[key], averaged[key]) for key in raw)


def test_an_average_has_the_statistics_that_samples_are_made_with(ganvas, tmp_path: Path) -> None:
    """A file of a DCGAN makes, in a plain network, what ``ganvas sample`` makes."""
    words = ["model=dcgan", "model.generator.base_channels=4", "model.discriminator.base_channels=4"]
    words += ["model.ema.ramp=null", f"paths.run_dir={tmp_path}/outputs/x/r", "trainer.max_examples=640"]
    ganvas("train", *words, "callback=none", "logger=none")
    ganvas("export", "latest", "--out", "w.safetensors")
    ganvas("sample", "latest", "--num", "6", "--seed", "3", "--out", "s.npz")
    tensors = load_file("w.safetensors")
    network = DCGANGenerator(latent_dim=100, channels=1, image_size=16, base_channels=4)
    network.load_state_dict({key.removeprefix("generator."): value for key, value in tensors.items()})
    model, _, _ = load_run(RunFolder(tmp_path / "outputs" / "x" / "r"))
    with torch.no_grad():
        made = network.eval()(model.latents(6, 3))
        held = model.ema.average(model.latents(6, 3))
    torch.testing.assert_close(made, model.sample(6, 3))
    images = torch.from_numpy(numpy.load("s.npz")["images"]).permute(0, 3, 1, 2)
    assert torch.equal(to_uint8(made), images)
    assert not torch.equal(to_uint8(held), images)


def test_a_vqvae_has_three_networks(ganvas, outputs: Path) -> None:
    ganvas("export", str(outputs / "train" / "b_vqvae"), "--out", "w.safetensors")
    tensors = load_file("w.safetensors")
    model, _, _ = load_run(RunFolder(outputs / "train" / "b_vqvae"))
    expected = {
        f"{name}.{key}": value
        for name in ("encoder", "quantizer", "decoder")
        for key, value in getattr(model, name).state_dict().items()
    }
    assert tensors.keys() == expected.keys()
    assert {key.partition(".")[0] for key in tensors} == {"encoder", "quantizer", "decoder"}
    for key, value in expected.items():
        assert torch.equal(tensors[key], value)


@pytest.mark.parametrize(
    ("name", "words", "latents"),
    [
        ("resnet", ["model.encoder.base_channels=8", "model.encoder.blocks=1"], (64, 3, 3)),
        ("vit", ["model.encoder.width=8", "model.encoder.depth=1", "model.encoder.tokens=3"], (64, 3)),
    ],
)
def test_plain_networks_read_back_what_a_vqvae_exports(
    name: str, words: list[str], latents: tuple[int, ...], ganvas, tmp_path: Path
) -> None:
    """Of images that the strides do not divide, by a loss with a network of its own."""
    words = [f"model/encoder={name}", f"model/decoder={name}", *words, "model.num_embeddings=16"]
    loss = ["model/reconstruction_loss=[l1,perceptual]"]
    loss += ["metric/features@model.reconstruction_loss.perceptual.features=pixels"]
    run = tmp_path / "outputs" / "x" / "r"
    words += ["data.image_size=10", f"paths.run_dir={run}", "trainer.max_examples=256"]
    ganvas("train", "model=vqvae", *words, *loss, "callback=minimal", "logger=none")
    ganvas("export", "latest", "--out", "w.safetensors")
    tensors = load_file("w.safetensors")
    model, _, record = load_run(RunFolder(run))
    assert {key.partition(".")[0] for key in tensors} == {"encoder", "quantizer", "decoder"}
    for part in ("encoder", "decoder"):
        network = build(record["config"]["model"][part], part)
        own = {key: value for key, value in tensors.items() if key.startswith(part)}
        network.load_state_dict({key.removeprefix(f"{part}."): value for key, value in own.items()})
        x = torch.randn(2, 1, 10, 10) if part == "encoder" else torch.randn(2, *latents)
        made = network.eval()(x)
        assert torch.equal(made, getattr(model, part).eval()(x))
        assert made.shape == ((2, *latents) if part == "encoder" else (2, 1, 10, 10))


def test_the_file_says_what_it_holds(ganvas, outputs: Path) -> None:
    ganvas("export", str(outputs / "train" / "a_gan"), "--out", "w.safetensors")
    with safe_open("w.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert {key: metadata[key] for key in ("ganvas", "examples_seen", "weights")} == {
        "ganvas": __version__,
        "examples_seen": "128",
        "weights": "average",
    }
    model = json.loads(metadata["model"])
    assert model["_target_"] == "ganvas.model.gan.GAN"
    assert model["generator"]["hidden_dim"] == 128


def test_it_lies_in_the_run_where_no_name_is_given(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "x" / "r"
    shutil.copytree(outputs / "train" / "a_gan", run)
    (run / "weights.safetensors").write_text("an older one")
    assert ganvas("export", "latest").stdout == "outputs/x/r/weights.safetensors\n"
    assert load_file(run / "weights.safetensors")
    assert [path.name for path in run.glob(".*") if path.name != ".lock"] == []


@pytest.mark.parametrize("out", ["w.pt", "w", ".", "file/w.safetensors"])
def test_what_cannot_be_the_file(out: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = ganvas("export", str(outputs / "train" / "a_gan"), "--out", out, code=2)
    assert done.stderr.startswith(f"--out={out}: ") or done.stderr.startswith("--out=file: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

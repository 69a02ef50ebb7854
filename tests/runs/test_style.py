"""StyleGAN2 by the command line: truncation about the mean style, files, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from refusal import SMOKE, refused
from safetensors.torch import load_file

from ganvas import load
from ganvas.functional.images import to_uint8
from ganvas.model.generator.style import StyleGenerator
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run

SMALL = ("model=style", "model.latent_dim=8", "model.generator.w_dim=8", "model.conditional=true")
CHANNELS = ("model.generator.channel_max=8", "model.discriminator.channel_max=8")


@pytest.fixture
def run(ganvas, tmp_path: Path) -> Path:
    """Trained so that noise, averaged styles and averaged weights are all to be seen."""
    rates = ("model.generator_optimizer.lr=0.05", "model.ema.ramp=0.5", "trainer.max_examples=1280")
    folder = tmp_path / "outputs" / "x" / "r"
    ganvas("train", *SMALL, *CHANNELS, *rates, f"paths.run_dir={folder}", "callback=none", "logger=none")
    return folder


def images(ganvas, *words: str) -> torch.Tensor:
    ganvas("sample", "latest", "--out", "x.npz", *words)
    return torch.from_numpy(numpy.load("x.npz")["images"]).permute(0, 3, 1, 2).int()


def test_samples(ganvas, run: Path, tmp_path: Path) -> None:
    model, _, _ = load_run(RunFolder(run))
    network: Any = model.ema.average
    assert network.w_avg.abs().max() > 0.005
    assert network.layers[1].noise_strength.abs() > 0.003
    z, label = model.latents(8, 3, truncation=0.4), model.sample_labels(8, 3)
    assert torch.equal(z, model.latents(8, 3)), "latents stay whole"
    with torch.no_grad():
        w = network.mapping(z, label)
        drawn = network.w_avg + 0.4 * (w - network.w_avg)
        expected = network.synthesize(drawn[:, None].expand(-1, network.num_styles, -1)).clamp(-1, 1)
    asked = ("--num", "8", "--seed", "3")
    cut = images(ganvas, *asked, "--truncation", "0.4")
    assert (cut - to_uint8(expected).int()).abs().max() <= 1
    whole = images(ganvas, *asked)
    assert (whole - cut).abs().max() > 5
    for words, one in (((), whole), (("--truncation", "0.4"), cut)):
        again = images(ganvas, *asked, *words, "--batch-size", "3")
        assert (again - one).abs().max() <= 1, "whatever the batch"
    of_class = images(ganvas, "--num", "2", "--label", "7", "--truncation", "0.4")
    assert (of_class - images(ganvas, "--num", "2", "--label", "7")).abs().max() > 5
    raw = images(ganvas, *asked, "--truncation", "0.4", "--raw")
    trained = model.generate(z, label, ema=False, truncation=0.4)
    assert (raw - to_uint8(trained).int()).abs().max() <= 1
    assert (raw - cut).abs().max() > 5
    sampled = load(run).sample(2, 1, label=7, truncation=0.4)
    assert (to_uint8(sampled).int() - of_class).abs().max() <= 1
    refused(ganvas, run, ["sample", "latest", "--truncation", "-0.5"], "--truncation", "must be 0 or more")
    ganvas("walk", "latest", "--num", "1", "--stops", "2", "--frames", "4", "--truncation", "0.4")


def test_an_exported_generator_is_read_back(ganvas, run: Path) -> None:
    ganvas("export", "latest", "--out", "w.safetensors")
    network = StyleGenerator(8, 1, 8, w_dim=8, channel_max=8, num_classes=10)
    tensors = load_file("w.safetensors")
    network.load_state_dict({key.removeprefix("generator."): value for key, value in tensors.items()})
    model, _, _ = load_run(RunFolder(run))
    z, label = model.latents(6, 3), model.sample_labels(6, 3)
    for truncation in (None, 0.5):
        with torch.no_grad():
            made = network.eval()(z, label, truncation=truncation)
        torch.testing.assert_close(made, model.sample(6, 3, truncation=truncation))


@pytest.mark.parametrize(
    ("words", "key", "says"),
    [
        (["data.batch_size=6"], "data.batch_size", "gives 6 samples to a forward pass"),
        (["data.batch_size=6"], "data.batch_size", "a multiple of 4, or"),
        (["data.batch_size=24", "trainer.micro_batches=4"], "data.batch_size", "a multiple of 16, or"),
        (["data.image_size=30"], "data.image_size", "must be 4, 5, 6 or 7 times a power of two"),
        (["model.discriminator.minibatch_group=1"], "model.discriminator.minibatch_group", "at least 2"),
        (["model.discriminator.architecture=skip"], "model.discriminator.architecture", "resnet, orig"),
        (
            ["model=mlp_gan", "model/regularizer=path_length"],
            "model.regularizer.path_length",
            "without styles",
        ),
        (["model.generator.mixing=2"], "model.generator.mixing", "from 0 to 1"),
    ],
)
def test_it_refuses(words: list[str], key: str, says: str, ganvas, tmp_path: Path) -> None:
    style = () if words[0].startswith("model=") else (*SMALL, *CHANNELS)
    refused(ganvas, tmp_path, [*SMOKE, *style, *words], key, says)

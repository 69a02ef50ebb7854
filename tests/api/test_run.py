from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import ganvas
from ganvas.cli.main import main
from ganvas.functional.images import to_float


@pytest.fixture(scope="module")
def gan(outputs) -> ganvas.Run:
    return ganvas.load("a_gan", output_dir=outputs)


@pytest.fixture(scope="module")
def vqvae(outputs) -> ganvas.Run:
    return ganvas.load("b_vqvae", output_dir=outputs)


def command(name: str, run: ganvas.Run, *words: str, out) -> dict[str, np.ndarray]:
    assert main([name, str(run.path), "--out", str(out), *words]) == 0
    return dict(np.load(out))


def uint8(x: torch.Tensor) -> np.ndarray:
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).numpy()


def test_samples_are_those_of_the_command(gan, tmp_path):
    for words, options in (
        (["--num", "300"], {"num": 300}),  # more than a batch
        (["--num", "5", "--seed", "4", "--truncation", "0.5"], {"num": 5, "seed": 4, "truncation": 0.5}),
    ):
        made = gan.sample(**options)
        assert (made.dtype, made.device.type) == (torch.float32, "cpu")
        assert np.array_equal(uint8(made), command("sample", gan, *words, out=tmp_path / "x.npz")["images"])


def test_raw_weights_and_their_average(gan, outputs, tmp_path):
    raw = ganvas.load("a_gan", output_dir=outputs, weights="raw")
    images = command("sample", gan, "--num", "5", "--raw", out=tmp_path / "x.npz")["images"]
    assert np.array_equal(uint8(raw.sample(5)), images)
    assert not torch.equal(raw.sample(5), gan.sample(5))
    z = gan.model.latents(5, 1)
    for run in (gan, raw):
        with torch.no_grad():
            assert torch.equal(run.generator(z), run.sample(5))
    assert gan.generator is gan.model.ema.average
    assert raw.generator is raw.model.generator
    with pytest.raises(ganvas.OptionError, match=r"^weights=mean: must be average or raw"):
        ganvas.load("a_gan", output_dir=outputs, weights="mean")


def test_networks_are_plain_modules_in_eval_mode(gan, vqvae):
    for run, names in ((gan, ("generator", "discriminator")), (vqvae, ("encoder", "quantizer", "decoder"))):
        for name in names:
            network = getattr(run, name)
            assert isinstance(network, nn.Module)
            assert not any(module.training for module in network.modules())
    assert gan.discriminator(gan.sample(3)).shape == (3,)
    assert not hasattr(gan, "encoder")
    with pytest.raises(ganvas.OptionError, match=r"^RUN=.*has no encoder; its networks are generator, discr"):
        _ = gan.encoder


def test_codes_and_reconstructions_are_those_of_the_command(vqvae, tmp_path):
    made = command("reconstruct", vqvae, "--num", "180", out=tmp_path / "x.npz")
    x = to_float(vqvae.data.split("test").x)
    reconstruction, indices = vqvae.reconstruct(x)
    assert np.array_equal(uint8(reconstruction), made["images"])
    codes = vqvae.encode(x)
    assert np.array_equal(codes.numpy(), made["indices"])
    assert torch.equal(codes[:, 0], indices[0])
    assert len(indices) == 1
    assert torch.allclose(vqvae.decode(codes), reconstruction, atol=1e-6)
    assert torch.equal(vqvae.decode(codes, levels=1), vqvae.decode(codes))
    assert vqvae.decode(codes.numpy()).shape == x.shape


def test_what_cannot_be_taken(gan, vqvae):
    x = torch.zeros(2, *vqvae.data.sample_shape)
    for call, line in (
        (lambda: gan.sample(0), r"^num=0: must be at least 1"),
        (lambda: gan.sample(1, truncation=-1.0), r"^truncation=-1.0: must be 0 or more"),
        (lambda: gan.sample(2, label=1), r"^label=1: the run's model has no classes"),
        (lambda: gan.encode(x), r"^RUN=.*cannot encode; it must be the run of a VQ-VAE"),
        (lambda: vqvae.sample(1), r"^RUN=.*makes no samples from nothing"),
        (lambda: vqvae.encode(x[:, :, 1:]), r"^x=float32 \[2, 1, 7, 8\]: must be floats \[N, 1, 8, 8\]"),
        (lambda: vqvae.encode(x.to(torch.uint8)), r"^x=uint8 \[2, 1, 8, 8\]: must be floats"),
        (lambda: vqvae.encode(x + 3), r"^x=3 to 3: must be floats"),
        (
            lambda: vqvae.decode(torch.tensor([[[-2]]])),
            r"^indices=\[1, 1, 1\]: indices hold -2: each must be in",
        ),
        (lambda: vqvae.decode(torch.zeros(2, 3, 5, dtype=torch.int64)), r"^indices=\[2, 3, 5\]: .*of encode"),
        (lambda: vqvae.decode(torch.tensor([1, 2])), r"^indices=\[2\]: must be whole numbers \[N, levels"),
        (lambda: next(vqvae.data.batches("tset", 2)), r"^split=tset: must be one of train, val, test"),
        (lambda: next(vqvae.data.batches("test", 0)), r"^batch_size=0: must be at least 1"),
        (lambda: vqvae.decode(torch.tensor([[[10**6]]])), r"^indices=\[1, 1, 1\]: indices hold 1000000"),
        (lambda: vqvae.decode(vqvae.encode(x), levels=2), r"^levels=2: must be 1 to 1"),
    ):
        with pytest.raises(ganvas.OptionError, match=line):
            call()


def test_what_a_run_says_of_itself(gan, outputs):
    assert (gan.name, gan.state) == ("a_gan", "finished")
    assert gan.config["model"]["latent_dim"] == gan.model.latent_dim
    assert gan.metrics == json.loads((gan.path / "status.json").read_text())["metrics"]
    lines = [json.loads(line) for line in (gan.path / "metrics.jsonl").read_text().splitlines()]
    history = gan.history
    assert next(iter(history)) == "examples"
    assert {len(column) for column in history.values()} == {len(lines)}
    assert [{tag: history[tag][row] for tag in line} for row, line in enumerate(lines)] == lines
    assert sorted(history["examples"]) == history["examples"]
    assert gan.data.num_samples("train") + gan.data.num_samples("val") + gan.data.num_samples("test") == 1797
    assert [run.name for run in ganvas.runs(outputs)] == ["a_gan", "b_vqvae"]
    assert repr(gan).startswith(f"Run({str(gan.path)!r}, finished, 320 examples)")


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(ganvas.OptionError, match=r"^RUN=latest: there is no run under"):
        ganvas.load("latest", output_dir=tmp_path)
    assert ganvas.runs(tmp_path) == []


def test_names_are_those_of_the_command_line(outputs):
    for name, found in (("latest:vqvae", "b_vqvae"), ("latest:mlp_gan", "a_gan"), ("a_*", "a_gan")):
        assert ganvas.load(name, output_dir=outputs).name == found
    with pytest.raises(ganvas.OptionError, match=r"^RUN=latest:zzz: no run under .* is of this kind"):
        ganvas.load("latest:zzz", output_dir=outputs)

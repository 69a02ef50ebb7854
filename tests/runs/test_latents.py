"""A GAN on the latents of a tokenizer as a user runs it: images everywhere; and what can go wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_files import newest_checkpoint
from safetensors.torch import load_file
from same_run import KEYS, equal
from worlds import close

from ganvas import load
from ganvas.cli.main import main
from ganvas.run.folder.checksum import sha256_of

_QUICK = ["trainer.log_every_examples=128", "logger=none", "accelerator=cpu"]
_GRID = ["data=latents", "data.channels=4", "data.image_size=2"]
_ROW = ["data=latents", "data.channels=null", "data.image_size=null", "data.sample_shape=[8,8]"]
_STYLE = ["model=style", *(f"model.{one}.channel_max=8" for one in ("generator", "discriminator"))]
CASES = {
    "grid": ("grid", ["model=mlp_gan", *_GRID, "model.conditional=true", "data.num_classes=10"]),
    "snap": ("grid", ["model=mlp_gan", *_GRID, "data.snap=true", "model/augment=apa"]),
    "row": ("row", ["model=mlp_gan", *_ROW]),
    "style": ("wide", [*_STYLE, "data=latents", "data.channels=4", "data.image_size=8"]),
}


_SMALL = ["model=vqvae", "model.embedding_dim=4", "model.num_embeddings=16"]
_SMALL += [f"model.{one}.hidden_channels=8" for one in ("encoder", "decoder")]
_RUNS = {  # of 2 x 2 codes, of 8 x 8, of a row of 8; and none
    "grid": _SMALL,
    "wide": [*_SMALL, "data.image_size=32"],
    "row": ["model=mlp_vqvae", "model.num_embeddings=16"],
    "gan": ["model=mlp_gan"],
}


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of one of ``_RUNS``, which is trained where it is first asked for."""
    folder = tmp_path_factory.mktemp("tokenizers_of_latents")

    def made(name: str) -> Path:
        if not (folder / name).exists():
            more = ["trainer.max_examples=256", "callback=none", "logger=none"]
            assert main(["train", *_RUNS[name], *more, f"paths.run_dir={folder}/{name}"]) == 0
        return folder / name

    return made


@pytest.fixture
def trained(ganvas: Callable[..., Any], tokenizers: Callable[[str], Path]) -> Callable[..., Path]:
    """Trains a case's GAN into a folder, by a tokenizer that is gone afterwards."""

    def train(case: str, folder: str, *words: str, callback: str = "minimal") -> Path:
        tokenizer, own = CASES[case]
        shutil.copytree(tokenizers(tokenizer), "tokenizer")
        ganvas(
            *("train", *own, "data.tokenizer=tokenizer", *_QUICK, f"callback={callback}"),
            *(f"paths.run_dir={folder}", *words),
        )
        shutil.rmtree("tokenizer")
        return Path(folder)

    return train


_RARE = [pytest.param(one, marks=pytest.mark.slow) for one in ("snap", "style")]


@pytest.mark.parametrize("case", ["grid", "row", *_RARE])
def test_a_gan_on_latents_makes_images_and_resumes_without_the_tokenizers_run(
    case: str, ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    whole = trained(case, "outputs/train/whole", "trainer.max_examples=2560")
    run = trained(case, "outputs/train/run", "trainer.max_examples=1664")  # into the second epoch
    ganvas("resume", str(run), "trainer.max_examples=2560")
    resumed, straight = newest_checkpoint(run), newest_checkpoint(whole)
    assert straight["ganvas_clock"]["examples_seen"] == 2560
    for key in KEYS:
        assert equal(resumed[key], straight[key]), key
    side = 32 if case == "style" else 8
    ganvas("sample", str(run), "--num", "6", "--out", "a.npz")
    ganvas("sample", str(run), "--num", "6", "--out", "b.npz", "--batch-size", "4")
    images = np.load("a.npz")["images"]
    assert images.shape == (6, side, side, 1)
    assert np.array_equal(images, np.load("b.npz")["images"])
    ganvas("interpolate", str(run), "--out", "i.png")
    ganvas("evaluate", str(run), "--num", "64", "--num-real", "64")
    row = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert 0 < row["metrics"]["fid"] < 1e6
    assert "tokenizer" not in ganvas("runs", "ls", "--json").stdout


def test_samples_are_what_the_tokenizer_decodes_of_the_generators_latents(
    ganvas: Callable[..., Any], trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = trained("grid", "run", "trainer.max_examples=512", callback="[minimal,preview]")
    assert list((run / "samples").glob("*.png"))
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    loaded: Any = load(run)
    model = loaded.model
    assert not (tmp_path / "cache/codes").exists()  # the bounds are the checkpoint's: nothing is encoded
    state = newest_checkpoint(run)["state_dict"]
    assert {name for name in state if name.startswith("space.")} == {"space.lowest", "space.highest"}
    low, high = (state[f"space.{name}"][:, None, None].to(model.device) for name in ("lowest", "highest"))
    assert (high > low).all()
    z, label = model.latents(5, 3), model.sample_labels(5, 3)
    x = model.as_trained(z, label)
    assert x.shape == (5, 4, 2, 2)
    with torch.no_grad():
        tokenizer = loaded.data.tokenizer.recipe
        expected = tokenizer.decoder(low + (x + 1) / 2 * (high - low)).clamp(-1, 1)
    torch.testing.assert_close(model.sample(5, 3), expected, rtol=0, atol=1e-5)
    assert not torch.equal(model.sample(5, 3), model.sample(5, 3, ema=False))
    assert model.rests_on() == {"tokenizer": sha256_of(next((run / "tokenizer/checkpoints").glob("*.ckpt")))}
    (real,) = loaded.data.batches("val", 7, 7)
    (coded,) = loaded.data.latents("val", 7, 7)
    with torch.no_grad():
        judged = model.discriminate(real.x.to(model.device), real.label.to(model.device))
        own = model.discriminator(coded.x.to(model.device), coded.label.to(model.device))
    torch.testing.assert_close(judged, own)
    ganvas("export", str(run), "--out", "w.safetensors")
    weights = load_file("w.safetensors")
    state = {f"space.{name}": state[f"space.{name}"] for name in ("lowest", "highest")}
    state |= {f"tokenizer.{name}": value for name, value in tokenizer.state_dict().items()}
    average = model.ema.average.state_dict() | model.average_statistics()
    state |= {f"generator.{name}": value for name, value in average.items()}
    assert weights.keys() == state.keys()
    assert all(torch.equal(value, state[name].cpu()) for name, value in weights.items())


def test_another_tokenizer_in_the_runs_folder_is_drift(
    ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    run = trained("grid", "run", "trainer.max_examples=256")
    (path,) = (run / "tokenizer/checkpoints").glob("*.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["quantizer.codebook"] = checkpoint["state_dict"]["quantizer.codebook"] * 1.01
    torch.save(checkpoint, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
    told = ganvas("resume", str(run), "trainer.max_examples=512", code=2).stderr
    assert "tokenizer" in told
    assert "would change the training of this run" in told


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["model=vqvae", *_GRID], "model._target_=ganvas.model.vqvae.VQVAE: does not learn latents"),
        (["model=vqgan", *_GRID], "model._target_=ganvas.model.vqgan.VQGAN: does not learn latents"),
        (["model=autoregressive", *_GRID], "Autoregressive: does not learn latents"),
        (["model=classifier", *_GRID], "does not learn latents"),
        (
            ["model=mlp_gan", "data=latents"],
            "data.channels=64: the latents of grid are 4 x 2 x 2; data.channels=4",
        ),
        (
            ["model=mlp_gan", *_GRID[:2]],
            "data.image_size=8: the latents of grid are 4 x 2 x 2; data.channels=4",
        ),
        (["model=dcgan", *_GRID], "data.image_size=2: must be one of 16, 32, 64, 128"),
        (["model=r3gan", *_GRID], "data.image_size=2: has widths of its own for 32, 64, 256 pixels"),
        (["model=mlp_gan", *_GRID, "data.num_classes=7"], "data.num_classes=7: the data has 10 classes"),
        (["model=mlp_gan", *_GRID, "model.conditional=true"], "model.conditional=true: asks for classes"),
        (["model=mlp_gan", *_GRID, "data.sample_shape=[4,2,3]"], "the generator makes samples of [4, 2, 3]"),
        (["model=mlp_gan", *_GRID, "data.tokenizer=null"], "data.tokenizer=null: names no run of a VQ-VAE"),
        (["model=mlp_gan", *_GRID, "data.tokenizer={gan}"], "data.tokenizer="),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    words: list[str],
    refused: str,
    ganvas: Callable[..., Any],
    tokenizers: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    own = [word.format(gan=tokenizers("gan")) if "{" in word else word for word in words]
    own = own if "data.tokenizer" in own[-1] else [*own, f"data.tokenizer={tokenizers('grid')}"]
    told = ganvas("train", *own, "trainer.max_examples=128", "logger=none", code=2).stderr
    assert refused in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_ranks_train_as_one(
    ganvas: Callable[..., Any], tokenizers: Callable[[str], Path], tmp_path: Path
) -> None:
    words = [*CASES["grid"][1], f"data.tokenizer={tokenizers('grid')}", "logger=none", "callback=none"]
    words += ["trainer.max_examples=192"]
    words += [f"model.{one}_optimizer.eps=0.01" for one in ("generator", "discriminator")]
    ganvas("train", *words, "accelerator=ddp_cpu", "paths.run_dir=two", fresh=True)
    ganvas("train", *words, "accelerator=cpu", "paths.run_dir=one")
    two, one = newest_checkpoint(tmp_path / "two"), newest_checkpoint(tmp_path / "one")
    close(dict(two["state_dict"]), dict(one["state_dict"]), rtol=2e-4, atol=2e-5)

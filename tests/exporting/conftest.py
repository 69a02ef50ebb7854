"""Trained runs of every kind that is exported, 128 digits each, and the command in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganvas.cli.main import main

_QUIET = ("callback=none", "logger=none", "accelerator=cpu", "trainer.max_examples=128")
_NARROW = ("model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8", "model.embedding_dim=4")
_FEW = "model.num_embeddings=16"
_STYLE = ("model=style", "model.latent_dim=8", "model.generator.w_dim=8", "model.conditional=true")
KINDS: dict[str, tuple[str, ...]] = {
    "gan": ("model=mlp_gan", "model.conditional=true"),
    "style": (*_STYLE, *(f"model.{one}.channel_max=8" for one in ("generator", "discriminator"))),
    "dcgan": ("model=dcgan", *(f"model.{one}.base_channels=4" for one in ("generator", "discriminator"))),
    "biggan": (
        *("model=biggan", "model.generator.widths=[8,8]", "model.discriminator.widths=[8,8]"),
        *("data.image_size=8", "model.d_steps_per_g_step=1"),
    ),
    "vqvae": ("model=vqvae", *_NARROW, _FEW),
    "residual": ("model=vqvae", "model/quantizer=residual", "model.quantizer.levels=2", *_NARROW, _FEW),
    "fsq": ("model=mlp_vqvae", "model/quantizer=fsq", "model.quantizer.levels=[4,3,3]"),
    "vqvae2": ("model=vqvae2", "data.image_size=16", "model.hidden_dim=8", "model.embedding_dim=4", _FEW),
    "prior": ("model=autoregressive", "model.conditional=true", "model.prior.depth=1", "TOKENIZER"),
    "pixelcnn": (
        *("model=autoregressive", "model/prior=pixelcnn", "model.prior.layers=1", "model.prior.channels=8"),
        "TOKENIZER",
    ),
    "masked": ("model=masked", "model.prior.depth=1", "TOKENIZER"),
    "latents": (
        *("model=mlp_gan", "data=latents", "data.channels=4", "data.image_size=2", "data.snap=true"),
        *("TOKENIZER",),
    ),
    "classifier": ("model=classifier",),
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a kind, trained when it is first asked for."""
    folder = tmp_path_factory.mktemp("exported") / "outputs"

    def run(kind: str) -> Path:
        place = folder / "x" / kind
        if not place.exists():
            words: list[str] = []
            for word in KINDS[kind]:
                if word != "TOKENIZER":
                    words.append(word)
                    continue
                words.append(f"data.tokenizer={run('vqvae')}")
                words += [] if kind == "latents" else ["data=codes"]
            assert main(["train", *words, *_QUIET, f"paths.run_dir={place}"]) == 0
        return place

    return run


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable:
    """``refused("export", ...)`` gives the one line; in tmp_path, in which nothing new is left."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        before = sorted(map(str, tmp_path.rglob("*")))
        capsys.readouterr()
        assert main(list(words)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1, said.err
        assert sorted(map(str, tmp_path.rglob("*"))) == before
        return said.err

    return run

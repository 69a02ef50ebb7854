"""Runs whose codes are written to files, 128 or 256 samples each: enough for codes that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.cli.main import main

_QUIET = ("callback=none", "logger=none", "accelerator=cpu")
_PRIOR = ("data=codes", "model.conditional=true", "model.prior.width=16", "model.prior.heads=2")
_NARROW = ("model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8", "model.embedding_dim=4")


def _train(folder: Path, name: str, *words: str) -> None:
    assert main(["train", *words, *_QUIET, f"paths.run_dir={folder}/train/{name}"]) == 0


@pytest.fixture(scope="session")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder: VQ-VAEs ``grey``, ``residual`` (two levels) and ``colour``; on the codes of ``grey``
    the priors ``prior`` (with classes) and ``masked``; a GAN, ``a_gan``.
    """
    folder = tmp_path_factory.mktemp("coded") / "outputs"
    grey = f"data.tokenizer={folder}/train/grey"
    few = "trainer.max_examples=128"
    _train(folder, "a_gan", "model=mlp_gan", few)
    _train(folder, "grey", "model=mlp_vqvae", "model.num_embeddings=16", "trainer.max_examples=1024")
    residual = ("model=vqvae", "model/quantizer=residual", "model.quantizer.levels=2", *_NARROW)
    _train(folder, "residual", *residual, "model.num_embeddings=16", "trainer.max_examples=1024")
    colour = ("data=stacked_digits", "data.num_train=256", "data.num_val=64", "data.num_test=64")
    _train(folder, "colour", "model=mlp_vqvae", "model.num_embeddings=16", *colour, few)
    prior = ("model=autoregressive", "model.prior.depth=1", *_PRIOR, grey)
    _train(folder, "prior", *prior, "trainer.max_examples=1024")
    _train(folder, "masked", "model=masked", "model.prior.depth=1", *_PRIOR, grey, few)
    return folder

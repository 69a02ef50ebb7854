"""Runs that pictures and rate-distortion curves are drawn of, of 128 digits each."""

from __future__ import annotations

from pathlib import Path

import pytest
from heard_and_read import recipes

from ganvas.cli.main import main

_SHORT = ["trainer.max_examples=128", "callback=none", "logger=none", "accelerator=cpu"]
_PRIOR = ["data=codes", "model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2"]
_CODES = ["model.num_embeddings=16", "model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8"]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, outputs: Path) -> Path:
    """A folder of runs.

    Priors by class over codes on a grid, ``raster`` and ``masked``; ``row``, one over the codes of
    ``b_vqvae``; VQ-VAEs with two levels of codes, ``residual``, and of larger images, ``larger``.
    """
    folder = tmp_path_factory.mktemp("runs")
    grid, row = f"data.tokenizer={folder}/grid", f"data.tokenizer={outputs}/train/b_vqvae"
    for name, words in {
        "grid": ["model=vqvae", *_CODES],
        "raster": ["model=autoregressive", *_PRIOR, grid, "model.conditional=true"],
        "masked": ["model=masked", *_PRIOR, grid, "model.conditional=true"],
        "row": ["model=autoregressive", *_PRIOR, row],
        "residual": ["model=mlp_vqvae", "model/quantizer=residual", "model.quantizer.levels=2"],
        "larger": ["model=mlp_vqvae", "data.image_size=16"],
    }.items():
        assert main(["train", *words, *_SHORT, f"paths.run_dir={folder}/{name}"]) == 0
    return folder


@pytest.fixture(scope="session")
def heard_and_read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of 16 examples on sounds and texts.

    Priors over the codes of a codec, ``speech`` and ``filled`` (masked), and of a VQ-VAE of texts,
    ``written`` and ``patched`` (masked); ``bytes``, of the symbols themselves.
    """
    folder = tmp_path_factory.mktemp("heard_and_read")
    found = recipes(folder)
    for name, over in {"filled": "speech", "patched": "written"}.items():
        found[name] = ["model=masked", *found[over][1:]]
    for name, words in found.items():
        short = [*_SHORT, "trainer.max_examples=16"]
        assert main(["train", *words, *short, f"paths.run_dir={folder}/{name}"]) == 0
    return folder

"""Two trained runs that a Python program reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.cli.main import main


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with the runs ``a_gan`` (MLP GAN) and ``b_vqvae`` (MLP VQ-VAE), 320 digits each."""
    folder = tmp_path_factory.mktemp("api") / "outputs"
    for name, model in (("a_gan", "mlp_gan"), ("b_vqvae", "mlp_vqvae")):
        words = [f"model={model}", f"paths.run_dir={folder}/train/{name}", "trainer=smoke"]
        more = [
            "callback=minimal",
            "logger=none",
            "trainer.max_examples=320",
            "trainer.log_every_examples=64",
        ]
        assert main(["train", *words, *more]) == 0
    return folder

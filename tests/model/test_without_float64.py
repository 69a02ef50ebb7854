"""Nothing on a device asks for float64 there: Apple's GPUs have none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.cli.main import main

ROOT = Path(__file__).parents[2]
PRIORS = ("autoregressive", "masked")  # over the codes of another run
MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))


# Networks that are large at their papers' widths.
_SMALL = {
    name: ["model.generator.widths=[16,16,16,16]", "model.discriminator.widths=[16,16,16,16]"]
    for name in ("sngan", "r3gan", "biggan")
} | {
    "style": ["model.generator.channel_max=8", "model.discriminator.channel_max=8"],
    "vqgan": ["model/quantizer=fsq"],  # codes of a table that are as near are chosen by rounding
}


_FEATURES = {"perceptual": ["metric/features@model.reconstruction_loss.perceptual.features=pixels"]}


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf/model" / group).glob("*.yaml"))


def _runs(tokenizer: Path) -> list[list[str]]:
    """Every recipe, every quantizer, loss and penalty, and every metric of samples."""
    codes = ["data=codes", f"data.tokenizer={tokenizer}", "model.prior.width=32", "model.prior.depth=1"]
    runs = [
        [f"model={model}", *(codes if model in PRIORS else ["data=digits"]), *_SMALL.get(model, [])]
        for model in MODELS
    ]
    # One takes maps alone. Of others, levels that say what 256 vectors leave over of 512 codes, and vectors
    # midway between two codes, are chosen by rounding.
    quantizers = {one: ["model=mlp_vqvae"] for one in _options("quantizer")}
    quantizers |= {one: ["model=vqvae"] for one in ("multiscale", "grouped")}
    quantizers["residual"] = ["model=mlp_vqvae", "model.num_embeddings=16", "model.quantizer.levels=2"]
    runs += [[*model, f"model/quantizer={one}", "data=digits"] for one, model in quantizers.items()]
    runs += [
        ["model=mlp_gan", f"model/gradient_penalty={one}", "data=digits"]
        for one in _options("gradient_penalty")
    ]
    runs += [
        ["model=mlp_gan", f"model/adversarial_loss={one}", "data=digits"]
        for one in _options("adversarial_loss")
    ]
    runs += [
        ["model=mlp_vqvae", f"model/reconstruction_loss={one}", "data=digits", *_FEATURES.get(one, [])]
        for one in _options("reconstruction_loss")
    ]
    row = ["data.channels=null", "data.image_size=null", "data.sample_shape=[8,8]"]
    runs.append(["model=mlp_gan", "data=latents", f"data.tokenizer={tokenizer}", *row])
    return [*runs, ["model=mlp_gan", "metric/samples=all", "data=digits"]]


@pytest.mark.slow
def test_recipes_and_what_is_measured_beside_them(tmp_path: Path) -> None:
    answers, tokenizer = tmp_path / "answers.json", tmp_path / "tokenizer"
    words = ["model=mlp_vqvae", f"paths.run_dir={tokenizer}", "trainer.max_examples=256"]
    assert main(["train", *words, "callback=none", "logger=none"]) == 0
    command = [
        sys.executable,
        str(ROOT / "tests/helpers/pretended_runs.py"),
        str(answers),
        json.dumps(_runs(tokenizer)),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for words, on_cpu, on_device in zip(_runs(tokenizer), *json.loads(answers.read_text()), strict=True):
        assert on_cpu.keys() == on_device.keys()
        assert on_device["steps"] == 12
        for name, value in on_cpu.items():
            assert on_device[name] == pytest.approx(value, rel=2e-3, abs=1e-4, nan_ok=True), (words, name)

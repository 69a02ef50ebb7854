"""Nothing on a device asks for float64 there: Apple's GPUs have none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
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


_SOUNDS, _TEXTS = ("sound_vqvae", "sound_vqgan", "wavegan"), ("text_vqvae",)
_CODEC = [  # codes of a table that are as near are chosen by rounding
    *("model/quantizer=fsq", "model.encoder.base_channels=4", "model.decoder.base_channels=4"),
]
_NARROW = {
    "sound_vqvae": _CODEC,
    "sound_vqgan": [*_CODEC, "model.discriminator.base_channels=4", "model.discriminator.windows=[128,256]"],
    "wavegan": [
        *("model.generator.base_channels=2", "model.discriminator.base_channels=2"),
        *("model.generator.strides=[4,4,4]", "model.discriminator.strides=[4,4,4]"),
    ],
    "text_vqvae": ["model.encoder.width=16", "model.decoder.width=16", "model/quantizer=fsq"],
}
_OF_SOUNDS, _OF_SYMBOLS = ("mel", "stft"), ("cross_entropy",)  # losses; their recipes are among those above


def _data_of(model: str, files: Path) -> list[str]:
    if model in _SOUNDS:
        sizes = [
            "data.rate=8000",
            "data.crop_length=1024" if model == "wavegan" else "data.crop_length=2560",
        ]
        return ["data=sound_folder", f"data.root={files}/sounds", *sizes]
    if model in _TEXTS:
        return ["data=text_files", f"data.root={files}/words.txt", "data.crop_length=32"]
    return ["data=digits"]


def _write_files(folder: Path) -> None:
    """24 sounds of which each is a tone, and a text."""
    (folder / "sounds").mkdir()
    for number in range(24):
        tone = 8000 * np.sin(np.arange(17_000) * (0.05 + 0.01 * number))
        write_wav(folder / "sounds" / f"{number}.wav", tone)
    (folder / "words.txt").write_text("a cat sat on a mat and a dog on a log\n" * 200)


def write_wav(path: Path, values: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(values.astype("<i2").tobytes())


def _runs(tokenizer: Path, files: Path) -> list[list[str]]:
    """Every recipe, every quantizer, loss and penalty, and every metric of samples."""
    codes = ["data=codes", f"data.tokenizer={tokenizer}", "model.prior.width=32", "model.prior.depth=1"]
    runs = [
        [
            f"model={model}",
            *(codes if model in PRIORS else _data_of(model, files)),
            *_SMALL.get(model, []),
            *_NARROW.get(model, []),
        ]
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
        if one not in (*_OF_SOUNDS, *_OF_SYMBOLS)
    ]
    row = ["data.channels=null", "data.image_size=null", "data.sample_shape=[8,8]"]
    runs.append(["model=mlp_gan", "data=latents", f"data.tokenizer={tokenizer}", *row])
    return [*runs, ["model=mlp_gan", "metric/samples=all", "data=digits"]]


@pytest.mark.slow
def test_recipes_and_what_is_measured_beside_them(tmp_path: Path) -> None:
    answers, tokenizer = tmp_path / "answers.json", tmp_path / "tokenizer"
    words = ["model=mlp_vqvae", f"paths.run_dir={tokenizer}", "trainer.max_examples=256"]
    assert main(["train", *words, "callback=none", "logger=none"]) == 0
    _write_files(tmp_path)
    runs = _runs(tokenizer, tmp_path)
    command = [
        sys.executable,
        str(ROOT / "tests/helpers/pretended_runs.py"),
        str(answers),
        json.dumps(runs),
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
    for words, on_cpu, on_device in zip(runs, *json.loads(answers.read_text()), strict=True):
        assert on_cpu.keys() == on_device.keys()
        assert on_device["steps"] == 12
        for name, value in on_cpu.items():
            assert on_device[name] == pytest.approx(value, rel=2e-3, abs=1e-4, nan_ok=True), (words, name)

"""Runs on texts and sounds: their programs, which the exporter holds against ganvas, weights and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganvas
from ganvas.cli.main import main

_QUIET = ("callback=none", "logger=none", "accelerator=cpu", "trainer.max_examples=32")
_SMALL = ("model.embedding_dim=4", "model.num_embeddings=8", "model.encoder.width=8", "model.encoder.heads=2")
_PRIOR = ("model.prior.width=8", "model.prior.depth=1", "model.prior.heads=2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "words.txt").write_text("the cat sat on the mat and the dog sat on the log\n" * 60)
    data = ("data=text_files", f"data.root={folder}/words.txt", "data.crop_length=32", "data.batch_size=8")
    for name, words in {
        "codec": ("model=text_vqvae", *_SMALL, *data),
        "bytes": ("model=autoregressive", *_PRIOR, *data),
    }.items():
        assert main(["train", *words, *_QUIET, f"paths.run_dir={folder}/{name}"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("form", ["torch", "onnx"])
@pytest.mark.parametrize(("name", "programs"), [("codec", {"encode", "decode"}), ("bytes", {"prior"})])
def test_programs_of_texts(name: str, programs: set[str], form: str, runs: Path, tmp_path: Path) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    out = ganvas.export(runs / name, format=form, out=tmp_path / "out")
    contract = json.loads((out / "contract.json").read_text())["programs"]
    assert contract.keys() == programs
    assert all(one["checked"]["inputs"] == ["random", "real"] for one in contract.values())
    if name == "codec":
        assert contract["encode"]["inputs"][0]["dtype"] == "int64"
        assert contract["encode"]["inputs"][0]["range"] == [0, 255]
    else:
        assert contract["prior"]["decoded_by"] is None


_SOUND: tuple[str, ...] = (
    "model=sound_vqvae",
    "model/reconstruction_loss=l1",
    "model.encoder.strides=[2,4]",
    "model.num_embeddings=8",
)
_SOUND += ("model.encoder.base_channels=4", "model.embedding_dim=4", "model.quantizer.levels=2")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Words that choose tones of half a second, in clips of 64 samples."""
    soundfile = pytest.importorskip("soundfile")
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(10):
        wave = np.sin(np.arange(4000) * (0.1 + 0.02 * number)) / 2
        soundfile.write(folder / f"{number}.wav", wave, 8000)
    return ("data=sound_folder", f"data.root={folder}", "data.crop_length=64", "data.batch_size=4")


@pytest.mark.slow
def test_programs_of_sounds_take_any_length(sounds: tuple[str, ...], tmp_path: Path) -> None:
    """By onnxruntime alone: a clip longer than those of the training to codes and back, as ganvas does it."""
    runtime = pytest.importorskip("onnxruntime")
    run = tmp_path / "codec"
    assert main(["train", *_SOUND, *sounds, *_QUIET, f"paths.run_dir={run}"]) == 0
    out = ganvas.export(run, format="onnx", out=tmp_path / "out")
    contract = json.loads((out / "contract.json").read_text())
    assert contract["data"]["rate"] == 8000
    assert "16 bits / 32768" in contract["normalization"]
    programs = contract["programs"]
    assert programs["encode"]["inputs"][0]["shape"] == ["batch", 1, "8 * frames"]
    assert programs["encode"]["outputs"][0]["shape"] == ["batch", 2, "frames"]
    assert programs["decode"]["outputs"][0]["shape"] == ["batch", 1, "8 * frames"]
    assert programs["decode"]["checked"]["frames"] == [2, 7]
    encode, decode = (
        runtime.InferenceSession(out / programs[name]["file"], providers=["CPUExecutionProvider"])
        for name in ("encode", "decode")
    )
    model: Any = ganvas.load(run).model
    for length in (16, 64, 1000):
        x = torch.sin(torch.arange(2 * length) * 0.3).view(2, 1, length) / 2
        (codes,) = encode.run(None, {"x": x.numpy()})
        (made,) = decode.run(None, {"indices": codes})
        with torch.no_grad():
            asked = model.encode(x)
            assert codes.shape == (2, 2, length // 8)
            assert np.array_equal(codes, asked.numpy())
            assert made == pytest.approx(model.decode(asked).numpy(), abs=1e-5)


def test_sounds_that_are_cut_and_networks_of_one_length_keep_their_shape(
    sounds: tuple[str, ...], tmp_path: Path
) -> None:
    from ganvas.exporting.programs import programs_of

    cut = (*sounds[:2], "data.crop_length=60", sounds[3])
    run = tmp_path / "codec"
    assert main(["train", *_SOUND, *cut, *_QUIET, f"paths.run_dir={run}"]) == 0
    loaded = ganvas.load(run)
    encode, _ = programs_of(loaded.model, loaded.data, raw=False)
    assert not encode.takes_lengths
    assert encode.inputs[0].shape == (1, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["codec", "bytes"])
def test_a_folder_of_texts_is_a_run(name: str, runs: Path, tmp_path: Path) -> None:
    out = ganvas.export(runs / name, format="folder", out=tmp_path / "out")
    before, after = (ganvas.load(one).model.state_dict() for one in (runs / name, out))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert ganvas.export(runs / name, format="safetensors", out=tmp_path / "w.safetensors").is_file()

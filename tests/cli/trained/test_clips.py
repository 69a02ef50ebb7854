"""``ganvas encode`` and ``ganvas decode`` of sounds and texts: files of any length, and no seams."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from refusal import refused

import ganvas as library
from ganvas.cli.main import main
from ganvas.cli.trained.coded.clips import decode_clip, encode_clip
from ganvas.cli.trained.coded.model import CodedModel

pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")

Ganvas = Callable[..., Any]
_RATE, _CLIP = 8000, 6400
_QUIET = ("callback=none", "logger=none", "accelerator=cpu")
_CODEC = (
    *("model=sound_vqvae", "model/reconstruction_loss=l1", "model.quantizer.levels=2"),
    *("model.num_embeddings=8", "model.embedding_dim=4"),
    *("model.encoder.base_channels=4", "model.decoder.base_channels=4"),
)


def wave(length: int, pitch: float) -> np.ndarray:
    """A tone whose loudness changes, so that codes do."""
    t = np.arange(length) / _RATE
    return (0.5 * np.sin(2 * np.pi * pitch * t) * np.sin(2 * np.pi * 3.3 * t)).astype(np.float32)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder: ``codec``, on its codes the prior ``speech``, and the model of bytes ``bytes``."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "sounds").mkdir()
    for number in range(12):
        soundfile.write(
            folder / "sounds" / f"{number}.wav", wave(2000 + 700 * number, 100 + 40 * number), _RATE
        )
    (folder / "words.txt").write_text("the cat sat on the mat and the dog sat on the log\n" * 60)
    data = (
        "data=sound_folder",
        f"data.root={folder}/sounds",
        f"data.crop_length={_CLIP}",
        "data.batch_size=4",
    )
    texts = ("data=text_files", f"data.root={folder}/words.txt", "data.crop_length=32", "data.batch_size=8")
    prior = ("model=autoregressive", "model.prior.width=16", "model.prior.heads=2", "model.prior.depth=1")
    codec = f"{folder}/train/codec"
    for name, words in {
        "codec": (*_CODEC, *data, "trainer.max_examples=80"),
        "speech": (
            *prior,
            "data=codes",
            f"data.tokenizer={codec}",
            "data.batch_size=4",
            "trainer.max_examples=40",
        ),
        "bytes": (*prior, *texts, "trainer.max_examples=800", "model.ema.half_life=100"),
    }.items():
        assert main(["train", *words, *_QUIET, f"paths.run_dir={folder}/train/{name}"]) == 0
    return folder


def coded_model(run: Path) -> CodedModel:
    loaded = library.load(run)
    return CodedModel(loaded.model, loaded.data, run)


@pytest.mark.parametrize("length", [1, _CLIP - 1, _CLIP, _CLIP + 1, 5 * _CLIP + 77])
def test_a_sound_has_no_seams(length: int, runs: Path) -> None:
    """Pieces in one pass, one by one with what is beside them, and two by two decode alike."""
    model = coded_model(runs / "train" / "codec")
    assert 0 < model.context < _CLIP
    clip = model.modality.to_stored(torch.from_numpy(wave(length, 333.0))[None, None])[0]
    whole = encode_clip(model, clip, levels=2, batch_size=100)
    assert whole.shape == (-(-length // _CLIP), 2 * _CLIP // 320)
    heard = decode_clip(model, whole, length, batch_size=100)
    assert heard.shape == (1, length)
    assert heard.dtype == torch.int16
    for batch_size in (1, 2):
        codes = encode_clip(model, clip, levels=2, batch_size=batch_size)
        assert (
            codes == whole
        ).double().mean() > 0.95  # what lies further away than the context changes little
        other = decode_clip(model, whole, length, batch_size=batch_size)
        assert (other - heard).abs().double().mean() <= 0.02 * heard.abs().double().mean() + 1


@pytest.mark.parametrize(("name", "level"), [("codec", 2), ("codec", 1), ("speech", None)])
def test_sounds_come_back(name: str, level: int | None, ganvas: Ganvas, runs: Path) -> None:
    run = str(runs / "train" / name)
    words = [] if level is None else ["--level", str(level)]
    files = [str(runs / "sounds" / f"{number}.wav") for number in (3, 11)]
    said = ganvas("encode", run, *files, *words, "--out", "x.gvq").stdout
    size, seconds = Path("x.gvq").stat().st_size, (4100 + 9700) / _RATE
    told = re.search(r"^2 sounds of 4,100 to 9,700 samples in ([\d,]+) bytes", said)
    assert told is not None, said
    assert int(told[1].replace(",", "")) == size
    rate = re.search(r"([\d.]+) kbit/s", said)
    assert rate is not None, said
    assert float(rate[1]) == pytest.approx(8 * size / seconds / 1000, rel=1e-3)
    ganvas("decode", "x.gvq", run, "--out", "made")
    made = [soundfile.read(f"made/{number:06}.wav", dtype="int16") for number in range(2)]
    assert [(len(x), found) for x, found in made] == [(4100, _RATE), (9700, _RATE)]
    ganvas("decode", "x.gvq", run, "--out", "again.npz", code=2)  # of two lengths
    read = library.decode("x.gvq", run)
    assert all(np.array_equal(one[0], x) for one, (x, _) in zip(read, made, strict=True))
    measured = {key: float(value) for key, value in re.findall(r"(\w+_db) (-?[\d.]+)", said)}
    model = coded_model(runs / "train" / "codec")
    total = 0.0
    for path, (x, _) in zip(files, made, strict=True):
        sides = [
            torch.from_numpy(side / 32768)[None, None] for side in (soundfile.read(path, dtype="int16")[0], x)
        ]
        (sdr, *_) = model.modality.measures([1, _CLIP])
        total += float(sdr.of(*sides)) * len(x)
    assert measured["si_sdr_db"] == pytest.approx(total / (4100 + 9700), rel=1e-3, abs=1e-3)


def test_fewer_levels_take_fewer_bytes(ganvas: Ganvas, runs: Path) -> None:
    for level in (1, 2):
        ganvas(
            "encode",
            str(runs / "train" / "codec"),
            str(runs / "sounds"),
            "--level",
            str(level),
            "--out",
            f"{level}.gvq",
        )
    assert Path("1.gvq").stat().st_size < Path("2.gvq").stat().st_size


def test_a_sound_may_be_longer_than_any_picture(ganvas: Ganvas, runs: Path) -> None:
    soundfile.write("long.wav", wave(70_000, 200.0), _RATE)
    run = str(runs / "train" / "codec")
    ganvas("encode", run, "long.wav", "--out", "x.gvq")
    ganvas("decode", "x.gvq", run, "--out", "back.wav")
    assert len(soundfile.read("back.wav")[0]) == 70_000


def test_one_sound_is_one_file(ganvas: Ganvas, runs: Path) -> None:
    run, path = str(runs / "train" / "codec"), str(runs / "sounds" / "5.wav")
    found = library.encode(run, [path], out="x.gvq")
    assert (found["sounds"], found["sizes"]) == (1, [(1, 5500)])
    ganvas("decode", "x.gvq", run, "--out", "back.flac")
    assert len(soundfile.read("back.flac")[0]) == 5500
    ganvas("decode", "x.gvq", run, "--out", "back.npz")
    assert np.array_equal(np.load("back.npz")["sounds"][0, 0], soundfile.read("back.flac", dtype="int16")[0])


def test_a_model_of_bytes_is_a_lossless_coder(ganvas: Ganvas, runs: Path) -> None:
    """What the file takes is what evaluate says of the same bytes, and a header."""
    run = str(runs / "train" / "bytes")
    text = b"the dog sat on the cat\n" * 30 + b"\x00\xff end"
    Path("own.txt").write_bytes(text)
    said = ganvas("encode", run, "own.txt", "--out", "x.gvq").stdout
    ganvas("decode", "x.gvq", run, "--out", "back.txt")
    assert Path("back.txt").read_bytes() == text
    assert "accuracy 1" in said
    assert Path("x.gvq").stat().st_size < 0.7 * len(text)
    found = json.loads(ganvas("evaluate", run, "--json").stdout)["metrics"]
    assert 0 < found["bits_per_byte"] < 8


@pytest.mark.parametrize(
    ("words", "option", "part"),
    [
        ("codec nothing.wav --out x.gvq", "FILES", "is no file and no folder"),
        ("codec empty.wav --out x.gvq", "FILES", "cannot be read as a sound"),
        ("codec . --out x.gvq", "FILES", "holds no sounds"),
        ("codec {s} --lossless --out x.gvq", "--lossless", "=True: is of pictures"),
        ("codec {s} --level 3 --out x.gvq", "--level", "take from 1 to 2"),
        ("bytes empty.txt --out x.gvq", "FILES", "is an empty text"),
    ],
)
def test_what_is_refused(
    words: str, option: str, part: str, ganvas: Ganvas, runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").touch()
    if "empty.wav" in words:
        (tmp_path / "empty.wav").touch()
    name, *rest = words.format(s=runs / "sounds").split()
    line = ["encode", str(runs / "train" / name), *rest]
    refused(ganvas, tmp_path, line, option, part)

"""Samples of any kind from splits, files and typing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from heard_and_read import CLIP, LETTERS, RATE, SCRIPT, sound_data, text_data

from ganvas.errors import OptionError
from ganvas.play.work.source import Source


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(sound_data(tmp_path_factory.mktemp("sounds")), (1, CLIP), "RUN")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(text_data(tmp_path_factory.mktemp("texts")), (LETTERS,), "RUN")


def wav(samples: np.ndarray, rate: int = RATE, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype="PCM_16")
    return file.getvalue()


def test_a_sample_of_a_split_is_the_data_s(sounds: Source, texts: Source) -> None:
    clips = next(iter(sounds.data.batches("test", 2))).x
    found = sounds.take("test", 1)
    assert torch.equal(found.x, clips[1])
    assert (found.told, found.length, found.label) == ("test sound 1", CLIP, None)
    rows = next(iter(texts.data.batches("val", 1))).x
    assert torch.equal(texts.take("val", 0).x, rows[0])
    assert texts.take("val", 0).x.dtype == torch.int64
    with pytest.raises(OptionError, match="the test split holds 2 sounds; take one from 0 to 1"):
        sounds.take("test", 2)


def test_the_first_split_is_one_that_holds_something(texts: Source, tmp_path: Path) -> None:
    assert texts.first_split() == "test"
    other = text_data(tmp_path, test_fraction=0.0, val_fraction=0.0)
    assert Source(other, (LETTERS,), "RUN").first_split() == "train"


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_long_file_is_cut_and_a_short_one_filled_up(kind: str, sounds: Source) -> None:
    long = (np.arange(2000) - 1000).astype(np.int16)
    found = sounds.upload(f"A.{kind}", wav(long, kind=kind))
    assert torch.equal(found.x, torch.from_numpy(long[:CLIP].astype(np.float32) / 32768)[None])
    assert (found.told, found.length) == ("your sound, the first 0.2 s", CLIP)
    short = sounds.upload("a.wav", wav(long[:900]))
    assert torch.equal(short.own, found.x[:, :900])
    assert short.x.shape == (1, CLIP)
    assert not short.x[:, 900:].any()
    assert (short.told, short.length) == ("your sound", 900)


def test_another_rate_and_channels_are_taken_as_the_data_takes_them(sounds: Source) -> None:
    t = np.arange(3200) / (2 * RATE)
    tone = (8000 * np.sin(2 * np.pi * 300 * t)).astype(np.int16)
    found = sounds.upload("a.wav", wav(np.stack([tone, tone], 1), 2 * RATE))
    assert found.length == CLIP
    expected = torch.from_numpy(tone[::2].astype(np.float32) / 32768)
    assert (found.x[0] - expected)[100:-100].abs().max() < 1e-3


def test_what_is_typed_begins_a_text(texts: Source, sounds: Source) -> None:
    assert (texts.takes_typing, sounds.takes_typing) == (True, False)
    found = texts.typed("\u00e9<b>")
    assert bytes(found.own.tolist()) == "\u00e9<b>".encode()
    assert (found.told, found.length, len(found.x)) == ("typed", 5, LETTERS)
    long = texts.typed("x" * 99)
    assert (long.told, long.length) == ("typed, the first 64 symbols", LETTERS)
    assert texts.typed("\ud800").own.tolist() == [63]  # half of a pair, which UTF-8 cannot hold
    with pytest.raises(OptionError, match="is empty; type one"):
        texts.typed("")


def test_a_file_of_text_is_its_bytes(texts: Source) -> None:
    assert (
        bytes(texts.upload("a.TXT", SCRIPT.encode() + b"\0\xff").own.tolist()) == SCRIPT.encode() + b"\0\xff"
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", b"", r"must be a sound \(.wav, .flac, .ogg"),
        ("<b>a.wav", b"<script>", "no sound of a kind that can be read"),
        ("a.wav", b"", "the file is empty"),
        ("a.wav", wav(np.zeros(50, np.int16))[:60], "cut off"),
        ("../../a.wav", wav(np.zeros((0,), np.int16)), "it holds no samples"),
        ("a", b"x" * 16_000_001, "of at most 16,000,000"),
    ],
)
def test_what_is_no_sound_is_refused(name: str, content: bytes, reason: str, sounds: Source) -> None:
    with pytest.raises(OptionError, match=reason) as error:
        sounds.upload(name, content)
    assert error.value.option == "upload"
    assert "\n" not in str(error.value)


def test_an_empty_text_is_refused(texts: Source) -> None:
    with pytest.raises(OptionError, match="holds"):
        texts.upload("a.txt", b"")

from __future__ import annotations

import base64
import io
import struct
import wave
from pathlib import Path

import pytest
from forged_runs import png
from PIL import Image

from ganvas.compare.show.images import Beside, newest_grid, read_beside


def put(run: Path, name: str, data: bytes) -> None:
    (run / "samples").mkdir(exist_ok=True)
    (run / "samples" / name).write_bytes(data)


def test_the_newest_is_taken_whole(tmp_path: Path) -> None:
    put(tmp_path, "000000000640.png", png(7, 5))
    put(tmp_path, "000000000064.png", png(3, 3))
    uri, width, height, word = newest_grid(tmp_path)
    assert (width, height, word) == (7, 5, "000000000640.png")
    kind, data = uri.split(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (7, 5)


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg onload=alert(1)>", png(7, 5)[:-30], png(7, 5)[:40] + b"\0" * 30, b"GIF89a" + b"\0" * 50],
)
def test_what_is_no_whole_png_is_left_out(data: bytes, tmp_path: Path) -> None:
    put(tmp_path, "1.png", data)
    uri, _, _, word = newest_grid(tmp_path)
    assert uri is None
    assert word == "1.png is no whole PNG and is left out"


def test_an_image_that_unpacks_to_too_much_is_left_out(tmp_path: Path) -> None:
    huge = png(5000, 4000)  # 20 million pixels in some kilobytes
    put(tmp_path, "1.png", huge)
    assert newest_grid(tmp_path)[0] is None


def test_a_file_over_the_limit_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.compare.show.images.MAX_BYTES", 10)
    put(tmp_path, "1.png", png(7, 5))
    assert "has more than" in newest_grid(tmp_path)[3]


def test_no_link_out_of_the_run_is_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    put(tmp_path / "run", "1.png", png(7, 5))
    (tmp_path / "run" / "samples" / "1.png").rename(tmp_path / "secret.png")
    (tmp_path / "run" / "samples" / "1.png").symlink_to(tmp_path / "secret.png")
    assert newest_grid(tmp_path / "run")[0] is None


def test_no_samples(tmp_path: Path) -> None:
    assert newest_grid(tmp_path) == (None, 0, 0, "no samples")


def wav(seconds: float, *, rate: int = 1000, channels: int = 1) -> bytes:
    """A sound of 16 bits whose numbers count up."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        count = int(seconds * rate) * channels
        out.writeframes(struct.pack(f"<{count}h", *range(count)))
    return file.getvalue()


def beside(run: Path) -> Beside:
    return read_beside(run, newest_grid(run))


def test_a_sound_beside_a_grid_is_kept_from_its_beginning(tmp_path: Path) -> None:
    put(tmp_path, "000000000640.png", png(7, 5))
    put(tmp_path, "000000000640.wav", wav(30, channels=1))
    put(tmp_path, "000000000064.wav", wav(1))  # of another grid
    found = beside(tmp_path)
    kind, _, content = found.sound.partition(",")
    assert kind == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(content))) as heard:
        assert (heard.getframerate(), heard.getnchannels(), heard.getnframes()) == (1000, 1, 20_000)
        assert struct.unpack("<3h", heard.readframes(3)) == (0, 1, 2)
    assert found.text is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"<script>",
        wav(1)[:44],
        wav(1)[:20],
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + b"\0" * 40,
    ],
)
def test_what_is_no_sound_is_left_out(data: bytes, tmp_path: Path) -> None:
    put(tmp_path, "1.png", png(7, 5))
    put(tmp_path, "1.wav", data)
    assert beside(tmp_path) == (None, None)


def test_a_text_beside_a_grid_is_letters_that_are_seen(tmp_path: Path) -> None:
    put(tmp_path, "1.png", png(7, 5))
    put(tmp_path, "1.txt", "<b>\u202e\x1b[2J\ttwo\nlines".encode() + b"\xff")
    assert beside(tmp_path).text == "<b>??[2J\ttwo\nlines\ufffd"
    put(tmp_path, "1.txt", b"x" * 5000)
    assert beside(tmp_path).text == "x" * 4000 + "\n..."


def test_what_lies_beside_no_grid_or_out_of_the_run_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    put(tmp_path / "run", "1.txt", b"a")
    assert beside(tmp_path / "run") == (None, None)
    put(tmp_path / "run", "1.png", png(7, 5))
    assert beside(tmp_path / "run").text == "a"
    (tmp_path / "run/samples/1.txt").rename(tmp_path / "secret")
    (tmp_path / "run/samples/1.txt").symlink_to(tmp_path / "secret")
    assert beside(tmp_path / "run") == (None, None)

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from forged_runs import png
from PIL import Image

from ganvas.compare.show.images import newest_grid


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

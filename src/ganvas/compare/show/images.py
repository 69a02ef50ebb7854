"""Grids of samples in a run's folder, those that are images which a page can hold."""

from __future__ import annotations

import base64
import re
import warnings
from pathlib import Path
from typing import NamedTuple

from ganvas.files.read import TooLargeError, read_bytes

MAX_BYTES = 4_000_000  # of one file
MAX_PIXELS = 16_000_000
_COUNT = re.compile(r"[0-9]{1,18}")  # examples, as callback/preview.py names its files


class Grid(NamedTuple):
    """A grid of samples.

    Attributes:
        uri: a data URI; None where there is no image.
        width: pixels; ``height`` likewise.
        told: the file's name, or why there is no image.
    """

    uri: str | None
    width: int
    height: int
    told: str


def grids_of(folder: Path) -> dict[int, Path]:
    """The grids of samples of a run's folder by the examples in their names, fewest first."""
    try:
        paths = [path for path in (folder / "samples").glob("*.png") if _COUNT.fullmatch(path.stem)]
    except OSError:
        return {}
    return {int(path.stem): path for path in sorted(paths, key=lambda one: int(one.stem))}


def newest_grid(folder: Path) -> Grid:
    """The last grid of samples of a run's folder by its name."""
    try:
        path = max((folder / "samples").glob("*.png"), key=lambda one: one.name, default=None)
    except OSError as error:
        return _none(f"samples cannot be read ({error.strerror or error})")
    return _none("no samples") if path is None else read_grid(folder, path)


def read_grid(folder: Path, path: Path) -> Grid:
    """One file of a run's samples, if it lies in the run's folder and is an image that a page can hold."""
    try:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            return _none(f"{path.name} is no file of this run")
        data = read_bytes(path, MAX_BYTES)
    except TooLargeError:
        return _none(f"{path.name} has more than {MAX_BYTES // 1_000_000} MB and is left out")
    except OSError as error:
        return _none(f"samples cannot be read ({error.strerror or error})")
    size = _size(data)
    if size is None:
        return _none(f"{path.name} is no whole PNG and is left out")
    return Grid(f"data:image/png;base64,{base64.b64encode(data).decode()}", *size, path.name)


def _none(why: str) -> Grid:
    return Grid(None, 0, 0, why)


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG that decodes to its end; the header is judged before anything is decoded."""
    import io

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images; the limit is below
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                image.load()
                return image.size
    except Exception:  # Pillow raises a dozen kinds for what is no image
        return None

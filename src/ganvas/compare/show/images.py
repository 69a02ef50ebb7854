"""Samples in a run's folder, as a page can hold them: grids that are images, sounds and texts beside them."""

from __future__ import annotations

import io
import re
import warnings
import wave
from pathlib import Path
from typing import NamedTuple

from ganvas.files.read import TooLargeError, read_bytes
from ganvas.files.text import data_uri

MAX_BYTES = 4_000_000  # of one file
MAX_SOUND = 64_000_000  # of one sound, of which the beginning is kept
MAX_PIXELS = 16_000_000
MAX_SECONDS = 20.0  # of a sound
MAX_LETTERS = 4000  # of a text
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


class Beside(NamedTuple):
    """What is heard or read of the samples of a grid.

    Attributes:
        sound: a data URI of a WAV, its beginning where it is long; None where there is none.
        text: its beginning, of letters that are seen, tabs and ends of lines alone; not escaped.
    """

    sound: str | None = None
    text: str | None = None


NOTHING = Beside()


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
    return Grid(data_uri("image/png", data), *size, path.name)


def read_beside(folder: Path, grid: Grid) -> Beside:
    """What lies beside a grid of a run's folder under the same name, to be heard (.wav) or read (.txt)."""
    if grid.uri is None:
        return NOTHING
    path = folder / "samples" / grid.told
    wav, txt = (_content(folder, path.with_suffix(ending)) for ending in (".wav", ".txt"))
    return Beside(None if wav is None else _wav(wav), None if txt is None else _text(txt))


def _content(folder: Path, path: Path) -> bytes | None:
    """A file's content, if it is one of the run's that a page can hold."""
    try:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            return None
        return read_bytes(path, MAX_SOUND if path.suffix == ".wav" else MAX_BYTES)
    except OSError:
        return None


def _wav(data: bytes) -> str | None:
    """A WAV of whole numbers as a data URI of one, made anew, of its first seconds; None where it is none."""
    file = io.BytesIO()
    try:
        with wave.Wave_read(io.BytesIO(data)) as given, wave.Wave_write(file) as kept:
            count = min(given.getnframes(), int(MAX_SECONDS * given.getframerate()))
            frames = given.readframes(count)
            kept.setnchannels(given.getnchannels())
            kept.setsampwidth(given.getsampwidth())
            kept.setframerate(given.getframerate())
            kept.writeframes(frames)
    except (wave.Error, EOFError, ValueError, ZeroDivisionError):
        return None
    found = file.getvalue()
    fits = len(frames) > 0 and len(found) <= MAX_BYTES
    return data_uri("audio/wav", found) if fits else None


def _text(data: bytes) -> str:
    letters = data.decode("utf-8", "replace")[:MAX_LETTERS]
    more = "\n..." if len(data) > len(letters.encode()) else ""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in letters) + more


def _none(why: str) -> Grid:
    return Grid(None, 0, 0, why)


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG that decodes to its end; the header is judged before anything is decoded."""
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

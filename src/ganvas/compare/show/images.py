"""The newest grid of samples in a run's folder, if it is an image that a page can hold."""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

from ganvas.files.read import TooLargeError, read_bytes

MAX_BYTES = 4_000_000  # of one file
MAX_PIXELS = 16_000_000


def newest_grid(folder: Path) -> tuple[str | None, int, int, str]:
    """A data URI, its width and height in pixels, and the file's name or why there is none."""
    try:
        path = max((folder / "samples").glob("*.png"), key=lambda one: one.name, default=None)
        if path is None:
            return None, 0, 0, "no samples"
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            return None, 0, 0, f"{path.name} is no file of this run"
        data = read_bytes(path, MAX_BYTES)
    except TooLargeError as error:
        return (
            None,
            0,
            0,
            f"{Path(error.filename).name} has more than {MAX_BYTES // 1_000_000} MB and is left out",
        )
    except OSError as error:
        return None, 0, 0, f"samples cannot be read ({error.strerror or error})"
    size = _size(data)
    if size is None:
        return None, 0, 0, f"{path.name} is no whole PNG and is left out"
    return f"data:image/png;base64,{base64.b64encode(data).decode()}", *size, path.name


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

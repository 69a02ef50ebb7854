"""Files of rows (JSON, one value a line), read piece by piece: they grow, and may come from anyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganvas.files.plain import MAX_BYTES, parse_json
from ganvas.files.read import open_regular


class RowReader:
    """The values in a file of rows; ``for value in RowReader(path)``.

    Args:
        path: the file.
        offset: bytes to begin at.
        whole: a last line without its end, which may still be written, is left alone.

    Attributes:
        skipped: lines so far that are no JSON within the limits of :mod:`ganvas.files.plain`.
        offset: bytes so far, up to the end of a line.

    Raises:
        OSError: at the first value: it is not there, no regular file, or cannot be read.
    """

    def __init__(self, path: Path, offset: int = 0, *, whole: bool = False) -> None:
        self.path, self.offset, self.whole = path, offset, whole
        self.skipped = 0

    def __iter__(self) -> Iterator[Any]:
        with open_regular(self.path) as file:
            file.seek(self.offset)
            while line := file.readline(MAX_BYTES):
                size, ended = len(line), line.endswith(b"\n")
                too_long = not ended and size == MAX_BYTES
                while too_long and not ended and (rest := file.readline(MAX_BYTES)):
                    size, ended = size + len(rest), rest.endswith(b"\n")
                if self.whole and not ended:
                    return
                self.offset += size
                if too_long:
                    self.skipped += 1
                    continue
                try:
                    value = parse_json(line)
                except ValueError:
                    self.skipped += bool(line.strip())
                    continue
                yield value

"""Files of rows (JSON lines) that only grow, whole after every row, also where the disk was full."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganvas.files.rows import RowReader
from ganvas.files.schema import anything, is_count, is_number, mapping, maybe, misfit, one_of

log = logging.getLogger("ganvas")


class Rows:
    """Appends to one file; what could not be written is kept and tried again with the next row.

    Args:
        path: the file; made with the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[bytes] = []

    def append(self, row: Mapping[str, object]) -> None:
        """Adds one line of strict JSON; a number that is not finite becomes null.

        Raises:
            OSError: it could not be written; the file is as it was, and the row comes with the next one.
        """
        text = json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False)
        self._pending.append(text.encode() + b"\n")
        self.write_pending()

    def write_pending(self) -> None:
        """Writes what is kept back; raises OSError as :meth:`append` does."""
        if not self._pending:
            return
        data = b"".join(self._pending)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a kill left half a row
                size = _end_of_last_line(handle, size)
                os.ftruncate(handle, size)
            try:
                while data:
                    data = data[os.write(handle, data) :]
            except OSError:
                os.ftruncate(handle, size)  # no half of a row stays
                raise
        finally:
            os.close(handle)
        self._pending.clear()


_EVALUATION = {"examples": is_count, "metrics": mapping(maybe(is_number))}
_MAY = {"better": maybe(mapping(one_of("min", "max"))), "protocol": maybe(mapping(anything))}


def is_evaluation(row: Any) -> bool:
    """Whether a row is one of evaluations.jsonl: ``examples``, ``metrics`` and, if any, ``better``."""
    return misfit(row, _EVALUATION, _MAY) is None


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; an absent file has none.

    A line that is no JSON object is passed over, and said in the log; the last may be half a row of a kill.
    """
    reader = RowReader(path, whole=True)
    try:
        values = list(reader)
    except OSError:
        return []
    rows = [row for row in values if isinstance(row, dict)]
    lost = len(values) - len(rows) + reader.skipped
    if lost:
        log.warning("%s: %d lines are no rows and are passed over", path, lost)
    return rows


def _end_of_last_line(handle: int, size: int) -> int:
    text = os.pread(handle, size, 0)
    return text.rfind(b"\n") + 1


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Rows are whole or absent, and none is lost to a full disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ganvas.callback.writing.rows import Rows


def read(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.jsonl")
    rows.append({"examples": 1, "a": float("nan"), "b": float("-inf"), "c": 2.5})
    assert read(rows.path) == [{"examples": 1, "a": None, "b": None, "c": 2.5}]


def test_half_a_row_of_a_killed_process_goes(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.jsonl")
    rows.path.write_text('{"examples": 1}\n{"examples": 2, "lo')
    rows.append({"examples": 2})
    assert read(rows.path) == [{"examples": 1}, {"examples": 2}]


def test_rows_of_a_full_disk_come_with_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(tmp_path / "rows.jsonl")
    rows.append({"examples": 1})
    real = os.write

    def half(handle: int, data: bytes) -> int:
        """The disk takes three bytes and then no more, as a disk does that runs full."""
        if len(data) > 3 and not half.full:
            half.full = True
            return real(handle, data[:3])
        raise OSError(28, "No space left on device")

    half.full = False
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        for examples in (2, 3):
            with pytest.raises(OSError, match="No space"):
                rows.append({"examples": examples})
        assert read(rows.path) == [{"examples": 1}]
    rows.append({"examples": 4})
    rows.write_pending()
    assert read(rows.path) == [{"examples": number} for number in (1, 2, 3, 4)]

"""Files of a run that only grow, put back to a checkpoint's moment.

A checkpoint carries the size of each (``ganvas_files``). A resumed run trains on from the checkpoint and
writes again whatever came after it, so what a killed process wrote after its last checkpoint goes first:
each step is then in them exactly once, after any number of kills.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.run_state import RunCallback
from ganvas.files.plain import parse_json
from ganvas.files.read import read_bytes
from ganvas.files.write import write_text

KEY = "ganvas_files"
_ROWS = ("metrics.jsonl", "evaluations.jsonl")
_MOST = 10_000_000_000  # bytes of a file of rows
_EVENTS = "tensorboard/events.out.tfevents.*"


class Journal(RunCallback):
    """Puts the sizes of the growing files into each checkpoint, once the loggers have written all they hold.

    Args:
        run: the run's folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                if hasattr(logger, "flush"):
                    with self.state.tolerate_write_errors(type(logger).__name__):
                        logger.flush()
            checkpoint[KEY] = sizes(self.run)


def sizes(run: Path) -> dict[str, int]:
    """Bytes of every growing file of a run, by its path in the folder."""
    files = [run / name for name in _ROWS] + list(run.glob(_EVENTS))
    return {path.relative_to(run).as_posix(): path.stat().st_size for path in files if path.exists()}


def note_end(run: Path, examples_seen: int) -> dict[str, Any]:
    """What status.json keeps of a run's end, for :func:`sizes_at_end`."""
    return {"ended": {"examples_seen": examples_seen, "sizes": sizes(run)}}


def sizes_at_end(status: Mapping[str, Any], examples_seen: int) -> dict[str, int] | None:
    """The sizes with which a run ended after so many examples; None where it did not, by its status.json."""
    ended = status.get("ended")
    if not isinstance(ended, dict) or ended.get("examples_seen") != examples_seen:
        return None
    noted = ended.get("sizes")
    plain = isinstance(noted, dict) and all(type(size) is int and size >= 0 for size in noted.values())
    return noted if plain else None


def rewind(run: Path, recorded: Mapping[str, int]) -> None:
    """Drops what was written after the moment of ``recorded``; an empty one is the run's beginning.

    Rows that ``ganvas evaluate`` added stay: no training brings them back.
    """
    for name in _ROWS:
        if (run / name).exists():
            _rewind_rows(run / name, recorded.get(name, 0))
    for path in run.glob(_EVENTS):
        size = recorded.get(path.relative_to(run).as_posix(), 0)
        if size == 0:
            path.unlink()
        elif path.stat().st_size > size:
            os.truncate(path, size)


def _rewind_rows(path: Path, size: int) -> None:
    data = read_bytes(path, _MOST)
    if len(data) <= size:
        return
    kept = [line for line in data[size:].splitlines(keepends=True) if _is_users(line)]
    write_text(path, (data[:size] + b"".join(kept)).decode(errors="replace"))


def _is_users(line: bytes) -> bool:
    try:
        row = parse_json(line)
    except ValueError:
        return False
    return isinstance(row, dict) and row.get("source") == "evaluate"

"""Whether two runs ended the same, to the bit, in checkpoints and in what they logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from run_files import newest_checkpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KEYS = ("state_dict", "optimizer_states", "lr_schedulers", "ganvas_clock", "global_step", "epoch")


def equal(a: object, b: object) -> bool:
    """Tensors by their bits, NaN equal to itself."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        same = a.dtype == b.dtype and a.shape == b.shape
        return same and a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file without what depends on the clock."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.startswith("speed/")} for row in lines]


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar event that is on the disk, repeated ones too."""
    read = EventAccumulator(str(run / "tensorboard"), purge_orphaned_data=False).Reload()
    return {
        tag: [(event.step, event.value) for event in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
        if not tag.startswith("speed/")
    }


def assert_same(run: Path, other: Path) -> None:
    """A resumed run and one that was not stopped."""
    ours, theirs = newest_checkpoint(run), newest_checkpoint(other)
    for key in KEYS:
        assert equal(ours[key], theirs[key]), key
    for name in ("metrics.jsonl", "evaluations.jsonl"):
        assert rows(run / name) == rows(other / name), name
    assert scalars(run) == scalars(other)

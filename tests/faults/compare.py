"""Whether two runs are the same run: to the bit, with each step logged once."""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

# What a checkpoint tells of the clock on the wall: seconds trained, for the budget max_time, and the names
# and sizes of the log files, which hold dates and speeds. The files' rows themselves are compared.
_CLOCK = (".callbacks.StopOnSignal.seconds", ".ganvas_files")


def difference(straight: Path, other: Path) -> str | None:
    """None where the finished run ``other`` is ``straight`` to the bit, else a line for each difference."""
    status = json.loads((other / "status.json").read_text())
    if status.get("state") != "finished":
        return f"status.json says {status.get('state')}, not finished"
    found = (
        states(newest(straight), newest(other)),
        rows(straight, other, "metrics.jsonl"),
        rows(straight, other, "evaluations.jsonl"),
        events(straight, other),
        images(straight, other),
    )
    return "\n  ".join(text for text in found if text) or None


def newest(run: Path) -> Path:
    return max(run.glob("checkpoints/*.ckpt"))


def load(path: Path) -> dict[str, Any]:
    return torch.load(path, map_location="cpu", weights_only=True)


def states(a: Path, b: Path, keys: tuple[str, ...] = ()) -> str | None:
    """The first difference of two checkpoint files (all keys, or ``keys`` alone)."""
    if a.name != b.name:
        return f"last checkpoint is {b.name}, not {a.name}"
    first, second = load(a), load(b)
    if keys:
        first, second = ({key: state[key] for key in keys} for state in (first, second))
    return _differs(first, second, a.stem)


def _differs(a: Any, b: Any, path: str) -> str | None:
    if path.endswith(_CLOCK) and type(a) is type(b):
        return None
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.dtype == b.dtype and a.shape == b.shape and _bytes(a) == _bytes(b):
            return None
        gap = (a.double() - b.double()).abs().max() if a.shape == b.shape and a.numel() else "shape"
        return f"{path} differs (by {gap})"
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return f"{path} has other keys: {sorted(map(str, a.keys() ^ b.keys()))[:5]}"
        return next((d for key in a if (d := _differs(a[key], b[key], f"{path}.{key}"))), None)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return f"{path} has {len(b)} elements, not {len(a)}"
        return next((d for i, (x, y) in enumerate(zip(a, b)) if (d := _differs(x, y, f"{path}[{i}]"))), None)
    return None if type(a) is type(b) and repr(a) == repr(b) else f"{path} is {b!r}, not {a!r}"


def _bytes(x: torch.Tensor) -> bytes:
    return x.contiguous().numpy().tobytes()


def rows(straight: Path, other: Path, name: str) -> str | None:
    """The first difference of two files of rows; the speed of the machine is no part of a run."""
    if not (straight / name).exists() and not (other / name).exists():
        return None
    try:
        first, second = (
            [json.loads(line) for line in (run / name).read_text().splitlines()] for run in (straight, other)
        )
    except (OSError, ValueError) as error:
        return f"{name}: {error}"
    wanted, found = ([_without_speed(row) for row in side] for side in (first, second))
    if wanted == found:
        return None
    return f"{name}: " + count_difference([json.dumps(row) for row in wanted], [json.dumps(r) for r in found])


def _without_speed(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("speed/")}


def count_difference(wanted: list[str], found: list[str]) -> str:
    """What one list has and the other has not, each element as often as it is there."""
    missing, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if not missing and not extra:
        return "other order"
    return "; ".join(
        f"{sum(side.values())} {word}, first {next(iter(side))[:160]}"
        for word, side in (("missing", missing), ("too many or other", extra))
        if side
    )


def events(straight: Path, other: Path) -> str | None:
    """The first difference of what the TensorBoard folders hold: each (tag, step) once, and equal."""
    wanted, found = (scalars(run / "tensorboard") for run in (straight, other))
    if sorted(wanted) == sorted(found):
        return None
    return "tensorboard: " + count_difference([str(x) for x in wanted], [str(x) for x in found])


def scalars(folder: Path) -> list[tuple[str, int, str]]:
    """(tag, step, value) of every scalar and image, also those that a purge would hide from a viewer."""
    from tensorboard.compat.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in _records(path):
            event = Event.FromString(record)
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                if value.HasField("simple_value"):
                    number = struct.pack("<f", value.simple_value).hex()
                    found.append((value.tag, event.step, "" if value.tag.startswith("speed/") else number))
                elif value.HasField("image"):
                    digest = hashlib.sha256(value.image.encoded_image_string).hexdigest()
                    found.append((value.tag, event.step, digest[:16]))
                elif value.HasField("histo") or plugin == "histograms":
                    digest = hashlib.sha256(value.SerializeToString()).hexdigest()
                    found.append((value.tag, event.step, digest[:16]))
    return found


def _records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file; a torn last one is left out, as TensorBoard leaves it out."""
    data, at = path.read_bytes(), 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 16 + length > len(data):
            return
        yield data[at + 12 : at + 12 + length]
        at += 16 + length


def images(straight: Path, other: Path) -> str | None:
    wanted, found = (
        {path.name: path.read_bytes() for path in sorted(run.glob("samples/*.png"))}
        for run in (straight, other)
    )
    if wanted == found:
        return None
    if wanted.keys() != found.keys():
        return f"samples: {sorted(wanted.keys() ^ found.keys())[:3]} on one side alone"
    return f"samples: {next(name for name in wanted if wanted[name] != found[name])} differs"


def torn(run: Path) -> str | None:
    """What a run that is still to be resumed must hold at any moment: files that can be read."""
    try:
        if (run / "status.json").exists():
            json.loads((run / "status.json").read_text())
        lines = (run / "metrics.jsonl").read_text().splitlines() if (run / "metrics.jsonl").exists() else []
        for line in lines[:-1]:
            json.loads(line)
    except ValueError as error:
        return f"a file is torn in the middle: {error}"
    return None

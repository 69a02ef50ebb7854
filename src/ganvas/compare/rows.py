"""evaluations.jsonl of a run, read as what it is: data that may come from anyone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.files.rows import RowReader
from ganvas.files.schema import is_count, is_number
from ganvas.run.folder.run_folder import RunFolder

MAX_BYTES = 64_000_000  # of a file of rows; a run's has some 100,000
_MAX_DEPTH = 16  # of a protocol
_MAX_LEAVES = 2000
_MAX_NAME = 100  # letters of a metric's or tag's name

# Keys of a protocol that say which weights were judged, and not how: they never stand against a comparison.
NOT_COMPARED = frozenset({"examples_seen", "examples", "run", "checkpoint", "seconds"})

Protocol = tuple[tuple[str, str], ...]  # (dotted key, value as JSON), ordered by key


@dataclass(frozen=True)
class Row:
    """One evaluation.

    Attributes:
        examples: examples seen by the weights.
        metrics: name -> value, NaN where it was not finite.
        shared: the protocol of every metric.
        parts: of single metrics: the metrics that each makes, and its part of the protocol.
        better: metric -> ``min`` or ``max``, where the row says it.
    """

    examples: int
    metrics: dict[str, float]
    shared: Protocol
    parts: tuple[tuple[frozenset[str], Protocol], ...] = ()
    better: dict[str, str] = field(default_factory=dict)

    def protocol(self, metric: str | None = None) -> Protocol:
        """What a metric rests on (None: any of them). Two of a name are comparable where these are equal."""
        own = [part for names, part in self.parts if metric is None or metric in names]
        return tuple(sorted((*self.shared, *(item for part in own for item in part))))


@dataclass(frozen=True)
class RunMetrics:
    """One run: what it says of itself, and its evaluations, oldest first.

    Attributes:
        folder: where it lies.
        run: its run.yaml.
        status: its status.json.
        rows: its evaluations.
        problems: what could not be read.
    """

    folder: RunFolder
    run: dict[str, Any] = field(repr=False)
    status: dict[str, Any] = field(repr=False)
    rows: list[Row]
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.folder.path.resolve().name

    @property
    def seed(self) -> int | str | None:
        seed = self.run["config"].get("seed")
        return seed if isinstance(seed, int | str) else None


def read_metrics(folder: RunFolder) -> RunMetrics:
    """Reads a run; lines that are no evaluation are skipped with a word.

    Raises:
        OptionError: its run.yaml cannot be read.
    """
    problems: list[str] = []
    rows = [_row(value) for value in read_lines(folder.path, "evaluations.jsonl", problems)]
    sound = [row for row in rows if row is not None]
    if len(sound) < len(rows):
        problems.append(f"{len(rows) - len(sound)} rows of evaluations.jsonl hold no metrics; skipped")
    return RunMetrics(folder, folder.read_run(), folder.read_status(), sound, problems)


def read_lines(folder: Path, name: str, problems: list[str]) -> Iterator[Any]:
    """The JSON values in a run's file of rows, one a line; what is none is skipped, told in ``problems``."""
    path = folder / name
    reader = RowReader(path)
    if not path.exists():
        return
    try:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise OSError("it is no file of this run")
        if path.stat().st_size > MAX_BYTES:
            raise OSError(f"it has more than {MAX_BYTES // 1_000_000} MB")
        yield from reader
    except OSError as error:
        problems.append(f"{name} cannot be read ({error.strerror or error})")
        return
    if reader.skipped:
        problems.append(f"{reader.skipped} lines of {name} are not JSON; skipped")


def number(value: Any) -> float | None:
    """A metric: NaN for null and what is not finite, None for what is no number."""
    if value is None:
        return math.nan
    if not is_number(value):
        return None
    return float(value) if math.isfinite(value) else math.nan


def examples_of(value: Any) -> int | None:
    """The examples of a row, or None where they are no count."""
    return value["examples"] if isinstance(value, dict) and is_count(value.get("examples")) else None


def _row(value: Any) -> Row | None:
    examples = examples_of(value)
    if examples is None or not isinstance(value.get("metrics"), dict):
        return None
    metrics = {name: number(x) for name, x in value["metrics"].items() if 0 < len(name) <= _MAX_NAME}
    kept = {name: x for name, x in metrics.items() if x is not None}
    better = value.get("better")
    said = better.items() if isinstance(better, dict) else ()
    try:
        shared, parts = flatten(value.get("protocol"))
    except ValueError:
        return None
    ways = {name: way for name, way in said if name in kept and way in ("min", "max")}
    return Row(examples, kept, shared, parts, ways) if kept else None


def flatten(protocol: Any) -> tuple[Protocol, tuple[tuple[frozenset[str], Protocol], ...]]:
    """A nested protocol as ordered (dotted key, value as JSON), without :data:`NOT_COMPARED`.

    Keys under ``metrics.<name>`` belong to the metrics that are listed there, all others to every metric.

    Raises:
        ValueError: it is no dict, or too deep or too large.
    """
    if not isinstance(protocol, dict):
        raise ValueError("no protocol")
    shared: list[tuple[str, str]] = []
    parts = []
    for name, value in protocol.items():
        inner = value.items() if name == "metrics" and isinstance(value, dict) else ()
        owned = {key: x for key, x in inner if isinstance(x, dict) and _are_names(x.get("metrics"))}
        for key, x in owned.items():
            leaves: list[tuple[str, str]] = []
            for inside in x.keys() - {"metrics"}:
                _add_leaves(f"metrics.{key}.{inside}", x[inside], leaves, 3)
            parts.append((frozenset(x["metrics"]), tuple(sorted(leaves))))
        rest = {key: x for key, x in value.items() if key not in owned} if owned else value
        if name not in NOT_COMPARED and not (owned and not rest):
            _add_leaves(name, rest, shared, 1)
    return tuple(sorted(shared)), tuple(parts)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _add_leaves(key: str, value: Any, leaves: list[tuple[str, str]], depth: int) -> None:
    if depth > _MAX_DEPTH or len(leaves) > _MAX_LEAVES:
        raise ValueError("too deep or too large")
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            _add_leaves(f"{key}.{name}", inner, leaves, depth + 1)
    else:
        whole = isinstance(value, float) and value.is_integer()  # 2000.0 and 2000 are one number
        leaves.append((key, json.dumps(int(value) if whole else value, sort_keys=True)))


def shown(value: str | None) -> str:
    """A protocol's value for people: text without its quotes."""
    return "absent" if value is None else value[1:-1] if value[:1] == '"' else value

"""What a run writes as it goes: status.json, metrics.jsonl, evaluations.jsonl, train.log, TensorBoard's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from mutate.files import damage_bytes, damage_json, damage_lines
from subject import Reader, Subject
from world import World

from subjects.readers import lay_run, light_reader, plot_reader, trains_on


def _damaged(name: str, damage: Callable[[Path, random.Random], None], plots: float) -> Callable[..., Reader]:
    def lay(world: World, folder: Path, draws: random.Random) -> Reader:
        lay_run(world, folder, draws)
        damage(folder / "run" / name, draws)
        return plot_reader() if draws.random() < plots else light_reader(draws)

    return lay


def _lay_scores(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("gan", folder / "run")
    damage_json(folder / "run" / "checkpoints" / "scores.json", draws)
    return trains_on()


def _lay_events(world: World, folder: Path, draws: random.Random) -> Reader:
    """The logs that a resumed run cuts to where its checkpoint stands."""
    world.copy("gan", folder / "run")
    files = [path for path in (folder / "run").rglob("*") if path.name in _CUT or "tfevents" in path.name]
    damage_bytes(draws.choice(sorted(files)), draws)
    return trains_on()


_CUT = ("metrics.jsonl", "evaluations.jsonl", "train.log", "status.json", ".lock")
SUBJECTS = [
    Subject("scores", "scores.json of the best checkpoints: resume, for a batch", _lay_scores),
    Subject("resumed_logs", "the logs and records that a resumed run goes on with", _lay_events),
    Subject(
        "status", "status.json: runs ls, show, diff and compare", _damaged("status.json", damage_json, 0)
    ),
    Subject(
        "metrics",
        "metrics.jsonl: plot, compare and runs show",
        _damaged("metrics.jsonl", damage_lines, 0.3),
    ),
    Subject(
        "evaluations",
        "evaluations.jsonl: compare and runs show",
        _damaged("evaluations.jsonl", damage_lines, 0.02),
    ),
    Subject("train_log", "train.log: runs show", _damaged("train.log", damage_bytes, 0)),
]

"""What a run writes as it goes: status.json, metrics.jsonl, evaluations.jsonl, train.log, TensorBoard's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from mutate.files import damage_bytes, damage_json, damage_lines
from subject import Reader, Subject
from world import World

from subjects.readers import lay_run, light_reader, plot_reader


def _damaged(name: str, damage: Callable[[Path, random.Random], None], plots: float) -> Callable[..., Reader]:
    def lay(world: World, folder: Path, draws: random.Random) -> Reader:
        lay_run(world, folder, draws)
        damage(folder / "run" / name, draws)
        return plot_reader() if draws.random() < plots else light_reader(draws)

    return lay


SUBJECTS = [
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

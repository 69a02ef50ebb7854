"""SIGKILL from inside, wherever it could hurt: in steps, files, validation, logs, the last figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from compare import difference, torn
from forge import Try, ganvas
from recipes import RECIPES, STEPS, Plan, checkpoint, resume_words, train_words

import faults

TITLE = "SIGKILL at named points"
MINIMUM = 60
NEEDS = [(recipe, 0) for recipe in RECIPES]

_GANS = ("mlp_gan", "dcgan")
_ALL = tuple(RECIPES)
# point: recipes that have it, and the largest occurrence that each run reaches
_POINTS: dict[str, tuple[tuple[str, ...], int]] = {
    "in-d": (_ALL, STEPS),
    "between-d-and-g": (_GANS, STEPS),
    "before-step": (_ALL, STEPS),
    "in-g": (_ALL, STEPS // 2),
    "after-g-step": (_ALL, STEPS // 2),
    "in-ema": (_GANS, STEPS // 2),
    "in-codebook": (("vqvae",), STEPS),
    "validation": (_ALL, 4),
    "epoch-end": (_ALL, 2),
    "evaluation": (_ALL, 1),
    "checkpoint-before-fsync": (_ALL, STEPS),
    "checkpoint-after-fsync": (_ALL, STEPS),
    "sidecar-before-fsync": (_ALL, STEPS),
    "folder-fsync": (_ALL, STEPS),
    "sidecar-before-replace": (_ALL, STEPS),
    "checkpoint-before-replace": (_ALL, STEPS),
    "checkpoint-after-replace": (_ALL, STEPS),
    "status-before-replace": (_ALL, 2),
    "prune-before": (_ALL, STEPS - 3),
    "prune-after": (_ALL, STEPS - 3),
    "event-torn": (_ALL, 60),
}
# file: pattern, the largest occurrence, and where it is torn (a share of a checkpoint, or bytes)
_WRITES: dict[str, tuple[str, int, float | Callable[[str], int]]] = {
    "checkpoint-0": (faults.CHECKPOINT, STEPS, 0.0),
    "checkpoint-50": (faults.CHECKPOINT, STEPS, 0.5),
    "checkpoint-99": (faults.CHECKPOINT, STEPS, 0.99),
    "sidecar-50": (faults.SIDECAR, STEPS, lambda path: 40),
    "status-torn": (faults.STATUS, 2, lambda path: 30),
    "row-torn": (r"metrics\.jsonl$", STEPS // 2, faults.half_a_row),
    "figures-torn": (r"evaluations\.jsonl$", 1, faults.half_a_row),
    "picture-torn": (r"/samples/", 2, lambda path: 50),
}


def tries(plan: Plan) -> Iterator[Try]:
    for again in range(6 if plan.nightly else 1):
        for point, (recipes, most) in _POINTS.items():
            for recipe in recipes:
                yield _try(plan, recipe, point, plan.random(point, recipe, again).randint(1, most))
        for name, (_, most, _) in _WRITES.items():
            for recipe in RECIPES:
                yield _try(plan, recipe, name, plan.random(name, recipe, again).randint(1, most))


def _try(plan: Plan, recipe: str, point: str, occurrence: int) -> Try:
    return Try(
        f"{recipe}-{point}-{occurrence}", lambda folder: _kill(plan, folder, recipe, point, occurrence)
    )


def _kill(plan: Plan, folder: Path, recipe: str, point: str, occurrence: int) -> str | None:
    more = ["callback.checkpoint.keep_last=2"] if point.startswith("prune") else []
    straight, run = plan.straight(recipe), folder / "run"

    def before() -> None:
        if point in _WRITES:
            pattern, _, where = _WRITES[point]
            size = checkpoint(straight, STEPS).stat().st_size
            faults.in_write(
                pattern, occurrence, (lambda path: int(size * where)) if isinstance(where, float) else where
            )
        else:
            faults.at(point, occurrence, faults.kill)

    ended = ganvas(train_words(recipe, 0, *more), folder, before=before)
    if ended.code >= 0:
        return f"{point} was not reached for the {occurrence}th time: {ended}"
    if not (run / "run.yaml").exists():
        return "killed before there was a run"
    if text := torn(run):
        return text
    ended = ganvas(resume_words(recipe), folder)
    if ended.code != 0:
        return str(ended)
    return difference(straight, run)

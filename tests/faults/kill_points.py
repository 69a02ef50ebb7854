"""SIGKILL from inside, wherever it could hurt: in steps, files, validation, logs, the last metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from forge import Try, ganvas
from recipes import RECIPES, STEPS, Plan, checkpoint, cut, resume_words, train_words

import faults
from compare import difference, torn

TITLE = "SIGKILL at named points"
MINIMUM = 60
_FURTHER = ("sound_vqvae", "bytes", "latents")
NEEDS = [(recipe, 0) for recipe in (*RECIPES, *_FURTHER)]

_GANS = ("mlp_gan", "dcgan")
_ALL = tuple(RECIPES)
_LATEST = 25  # batches that are made before a run is broken, at most
_IN_EPOCH = 18  # the same where a validation or an epoch's end must still come
# point: recipes that have it, latest start, largest occurrence after the start
_POINTS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "in-d": (_ALL, _LATEST, 3),
    "between-d-and-g": (_GANS, _LATEST, 3),
    "before-step": (_ALL, _LATEST, 3),
    "in-g": (_ALL, _LATEST, 2),
    "after-g-step": (_ALL, _LATEST, 2),
    "in-ema": (_GANS, _LATEST, 2),
    "in-codebook": (("vqvae",), _LATEST, 3),
    "validation": (_ALL, _IN_EPOCH, 3),
    "epoch-end": (_ALL, _IN_EPOCH, 1),
    "evaluation": (_ALL, _LATEST, 1),
    "checkpoint-before-fsync": (_ALL, _LATEST, 3),
    "checkpoint-after-fsync": (_ALL, _LATEST, 3),
    "sidecar-before-fsync": (_ALL, _LATEST, 3),
    "folder-fsync": (_ALL, _LATEST, 6),
    "sidecar-before-replace": (_ALL, _LATEST, 3),
    "checkpoint-before-replace": (_ALL, _LATEST, 3),
    "checkpoint-after-replace": (_ALL, _LATEST, 3),
    "status-before-replace": (_ALL, _LATEST, 2),
    "prune-before": (_ALL, _LATEST, 2),
    "prune-after": (_ALL, _LATEST, 2),
    "event-torn": (_ALL, _LATEST, 12),
}
_OF_ALL = ("after-g-step", "validation", "evaluation", "checkpoint-before-replace", "row-torn")  # sounds too
# file: pattern, the largest occurrence, and where it is torn (a share of a checkpoint, or bytes)
_WRITES: dict[str, tuple[str, int, float | Callable[[str], int]]] = {
    "checkpoint-0": (faults.CHECKPOINT, 3, 0.0),
    "checkpoint-50": (faults.CHECKPOINT, 3, 0.5),
    "checkpoint-99": (faults.CHECKPOINT, 3, 0.99),
    "sidecar-50": (faults.SIDECAR, 3, lambda path: 40),
    "status-torn": (faults.STATUS, 2, lambda path: 30),
    "row-torn": (r"metrics\.jsonl$", 2, faults.half_a_row),
    "metrics-torn": (r"evaluations\.jsonl$", 1, faults.half_a_row),
    "image-torn": (r"/samples/", 1, lambda path: 50),
}


def tries(plan: Plan) -> Iterator[Try]:
    points = [*_POINTS.items(), *((name, (_ALL, _LATEST, most)) for name, (_, most, _) in _WRITES.items())]
    number = 0
    for again in range(6 if plan.nightly else 1):
        for point, (recipes, latest, most) in points:
            further = _FURTHER if point in _OF_ALL else ()
            for recipe in (*recipes, *further):
                draw = plan.random(point, recipe, again)
                # Every fifth run is broken where it is young, the others go on from a checkpoint first.
                begin, occurrence = (0 if number % 5 == 0 else draw.randint(1, latest)), draw.randint(1, most)
                number += 1
                yield Try(
                    f"{recipe}-{point}-{begin}-{occurrence}",
                    lambda folder, a=(recipe, point, begin, occurrence): _kill(plan, folder, *a),
                )


def _kill(plan: Plan, folder: Path, recipe: str, point: str, begin: int, occurrence: int) -> str | None:
    more = ["callback.checkpoint.keep_last=2"] if point.startswith("prune") else []
    straight, run = plan.straight(recipe), folder / "run"
    if begin:
        cut(straight, folder, begin)
    words = resume_words(recipe, *more) if begin else train_words(recipe, 0, *more)

    def before() -> None:
        if point in _WRITES:
            pattern, _, where = _WRITES[point]
            size = checkpoint(straight, STEPS).stat().st_size
            faults.in_write(
                pattern, occurrence, (lambda path: int(size * where)) if isinstance(where, float) else where
            )
        else:
            faults.at(point, occurrence, faults.kill)

    ended = ganvas(words, folder, before=before)
    if ended.code >= 0:
        return f"{point} was not reached for the {occurrence}th time: {ended}"
    begun = (run / "run.yaml").exists()
    if not begun and run.exists():
        return "killed before there was a run, and something of it is there"
    if begun and (text := torn(run)):
        return text
    ended = ganvas(resume_words(recipe) if begun else words, folder)
    if ended.code != 0:
        return str(ended)
    return difference(straight, run)

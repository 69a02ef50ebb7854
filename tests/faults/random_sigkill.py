"""SIGKILL at random times, resume, SIGKILL again, until the run is done."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from forge import Try, ganvas, start
from recipes import BATCH, CASES, FURTHER_CASES, STEPS, Plan, resume_words, train_words

from compare import difference, torn

TITLE = "SIGKILL at random times until done"
MINIMUM = 40
NEEDS = [*CASES, *FURTHER_CASES]

_KILLS = 5  # in one run at most


def tries(plan: Plan) -> Iterator[Try]:
    wanted, most = (500, 300) if plan.nightly else (MINIMUM + 4, 70)
    for number in range(most):
        if sum(result.count for result in plan.results) >= wanted:
            return
        recipe, workers = NEEDS[number % len(NEEDS)]
        yield Try(
            f"{number:03d}-{recipe}-workers{workers}",
            lambda folder, r=recipe, w=workers, n=number: _chain(plan, folder, r, w, n),
        )


def _chain(plan: Plan, folder: Path, recipe: str, workers: int, number: int) -> tuple[str | None, int]:
    draw = plan.random("sigkill", number)
    run = folder / "run"
    whole = plan.seconds(recipe, workers)  # of the uninterrupted run
    kills, seen = 0, 0
    while kills < _KILLS:
        fresh = not (run / "run.yaml").exists()
        if fresh:  # killed before there was a run: one starts again
            shutil.rmtree(run, ignore_errors=True)
        child = start(train_words(recipe, workers) if fresh else resume_words(recipe), folder)
        left = 1 - seen / (STEPS * BATCH)
        time.sleep(draw.uniform(0.1, 0.9) * whole * (1.0 if fresh else 0.2 + 0.7 * left))
        if child.poll() is None:
            child.send(signal.SIGKILL)
        ended = child.wait()
        if ended.code == 0:
            break
        if ended.code != -signal.SIGKILL:
            return f"after {kills} kills: {ended}", max(1, kills)
        kills += 1
        if (run / "run.yaml").exists() and (text := torn(run)):
            return f"after {kills} kills: {text}", kills
        newest = _newest(run)
        if newest < seen:
            return f"after {kills} kills the newest checkpoint went from {seen} to {newest} examples", kills
        seen = newest
    if (run / "run.yaml").exists():
        ended = ganvas(resume_words(recipe), folder)
    else:
        shutil.rmtree(run, ignore_errors=True)
        ended = ganvas(train_words(recipe, workers), folder)
    if ended.code != 0:
        return f"after {kills} kills: {ended}", max(1, kills)
    text = difference(plan.straight(recipe, workers), run)
    return text and f"after {kills} kills: {text}", kills


def _newest(run: Path) -> int:
    """Images of the newest checkpoint that has a hash beside it."""
    named = [path for path in run.glob("checkpoints/*.ckpt") if Path(f"{path}.sha256").exists()]
    return max((int(path.stem) for path in named), default=0)

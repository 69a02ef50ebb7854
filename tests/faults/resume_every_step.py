"""Resume from every step: mid-epoch, at an epoch's end, at the run's end, and from no checkpoint at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from forge import Try, ganvas
from recipes import CASES, FURTHER_CASES, RECIPES, STEPS, Plan, cut, resume_words, train_words

from compare import difference, newest, states

TITLE = "resume from every step"
MINIMUM = 150
NEEDS = [*CASES, *FURTHER_CASES]

# Parameters, optimizers, the recipe's clock: what may not depend on how often anything else happens.
_TRAINING = ("state_dict", "optimizer_states", "ganvas_clock", "global_step", "epoch")
_OTHER_CADENCES = [
    "trainer.val_every_examples=192",
    "trainer.check_val_every_n_epoch=null",
    "trainer.val_check_interval=null",
    "callback.preview.every_examples=0",
    "callback.checkpoint.every_examples=0",
    "trainer.log_every_examples=500",
    "callback.evaluation.every_examples=640",
]


def tries(plan: Plan) -> Iterator[Try]:
    for step in range(STEPS + 1):
        for number, (recipe, workers) in enumerate(CASES):
            # Loader processes change nothing of what a step is: their place in an epoch is tried at every
            # third step, others in each recipe, and at every step each night.
            if workers and (step + number) % 3 and step not in (0, STEPS) and not plan.nightly:
                continue
            yield Try(
                f"{recipe}-workers{workers}-step{step}",
                lambda folder, r=recipe, w=workers, k=step: _resume(plan, folder, r, w, k),
            )
    for step in range(0, STEPS + 1, 5):  # each its own, so that all parts of an epoch come up
        for number, (recipe, workers) in enumerate(FURTHER_CASES):
            own = min(step + number, STEPS)
            yield Try(
                f"{recipe}-workers{workers}-step{own}",
                lambda folder, r=recipe, w=workers, k=own: _resume(plan, folder, r, w, k),
            )
    for recipe in RECIPES:
        yield Try(f"{recipe}-other-cadences", lambda folder, r=recipe: _other_cadences(plan, folder, r))


def _resume(plan: Plan, folder: Path, recipe: str, workers: int, step: int) -> str | None:
    straight = plan.straight(recipe, workers)
    run = cut(straight, folder, step)
    # Two of three runs go on with fewer checkpoints: how often one is written changes nothing.
    fewer = ["callback.checkpoint.every_examples=640"] if step % 3 else []
    ended = ganvas(resume_words(recipe, *fewer), folder)
    if ended.code != 0:
        return str(ended)
    return difference(straight, run)


def _other_cadences(plan: Plan, folder: Path, recipe: str) -> str | None:
    ended = ganvas(train_words(recipe, 0, *_OTHER_CADENCES), folder)
    if ended.code != 0:
        return str(ended)
    return states(newest(plan.straight(recipe)), newest(folder / "run"), _TRAINING)

"""SIGINT, SIGTERM, SIGUSR1 and SIGUSR2: the batch is finished, its state saved, the exit code says which."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from composed import compose_once
from forge import Ended, Try, ganvas, start
from recipes import BATCH, RECIPES, Plan, checkpoint, resume_words, train_words

import faults
from compare import difference, newest, states

TITLE = "signals"
MINIMUM = 12
NEEDS = [(recipe, 0) for recipe in RECIPES]

_TRAINING = ("state_dict", "optimizer_states", "ganvas_clock", "global_step", "epoch")
_EVERY = 10  # batches between checkpoints, so that what a signal saves is no checkpoint that was due
# signal, point, occurrence, recipe, batches that are whole when the run ends (None: any)
_CASES: list[tuple[str, str, int, str, int | None]] = [
    ("SIGINT", "in-d", 7, "mlp_gan", 7),
    ("SIGINT", "between-d-and-g", 6, "mlp_gan", 6),
    ("SIGINT", "checkpoint-before-replace", 1, "vqvae", None),
    ("SIGINT", "validation", 1, "dcgan", None),
    ("SIGTERM", "in-d", 13, "dcgan", 13),
    ("SIGTERM", "in-g", 3, "mlp_gan", 6),
    ("SIGTERM", "in-ema", 12, "dcgan", 12),
    ("SIGTERM", "checkpoint-before-fsync", 2, "mlp_gan", None),
    ("SIGTERM", "checkpoint-after-replace", 1, "dcgan", None),
    ("SIGTERM", "validation", 2, "vqvae", None),
    ("SIGTERM", "epoch-end", 1, "vqvae", None),
    ("SIGTERM", "evaluation", 1, "mlp_gan", 30),
    ("SIGUSR1", "between-d-and-g", 21, "dcgan", 21),
    ("SIGUSR1", "in-codebook", 11, "vqvae", 11),
    ("SIGUSR2", "in-d", 22, "vqvae", 22),
    ("SIGUSR2", "checkpoint-before-replace", 1, "mlp_gan", None),
]
# A second SIGINT at the same place: the run is left at once, with the checkpoint of batch 10.
_TWICE = [("in-d", 14, "mlp_gan"), ("in-g", 7, "mlp_gan"), ("checkpoint-before-fsync", 2, "vqvae")]


def prepare() -> None:
    for recipe in RECIPES:
        compose_once(_words(recipe))


def tries(plan: Plan) -> Iterator[Try]:
    for name, point, occurrence, recipe, batches in _CASES:
        yield Try(
            f"{name}-{recipe}-{point}-{occurrence}",
            lambda folder, s=name, p=point, o=occurrence, r=recipe, b=batches: _once(
                plan, folder, r, s, p, o, b
            ),
        )
    for point, occurrence, recipe in _TWICE:
        yield Try(
            f"SIGINT-twice-{recipe}-{point}",
            lambda folder, p=point, o=occurrence, r=recipe: _twice(plan, folder, r, p, o),
        )
    for number in range(40 if plan.nightly else 4):
        yield Try(f"random-{number}", lambda folder, n=number: _random(plan, folder, n))


def _words(recipe: str) -> list[str]:
    return train_words(recipe, 0, f"callback.checkpoint.every_examples={_EVERY * BATCH}")


def _once(
    plan: Plan, folder: Path, recipe: str, name: str, point: str, occurrence: int, batches: int | None
) -> str | None:
    number = signal.Signals[name]
    ended = ganvas(_words(recipe), folder, before=lambda: faults.at(point, occurrence, faults.send(number)))
    return _check(plan, folder, recipe, number, ended, batches)


def _check(
    plan: Plan, folder: Path, recipe: str, number: int, ended: Ended, batches: int | None
) -> str | None:
    straight, run = plan.straight(recipe), folder / "run"
    if ended.code != 128 + number:
        return f"exit code {ended.code} and not {128 + number}: {ended}"
    if "Traceback" in ended.err or "ganvas resume" not in ended.out:
        return f"no traceback, and how to go on, were to be said: {ended}"
    status = json.loads((run / "status.json").read_text())
    last = newest(run)
    examples = int(last.stem)
    if status["state"] != "interrupted" or status["examples_seen"] != examples:
        return f"status {status['state']} at {status['examples_seen']} examples; newest checkpoint {examples}"
    if batches is not None and examples != batches * BATCH:
        return f"the newest checkpoint is of batch {examples / BATCH:g}, not {batches}"
    if text := states(checkpoint(straight, examples // BATCH), last, _TRAINING):
        return f"what the signal saved is no state between two batches: {text}"
    ended = ganvas(resume_words(recipe), folder)
    return str(ended) if ended.code != 0 else difference(straight, run)


def _twice(plan: Plan, folder: Path, recipe: str, point: str, occurrence: int) -> str | None:
    def both() -> None:
        faults.send(signal.SIGINT)()
        faults.send(signal.SIGINT)()

    straight, run = plan.straight(recipe), folder / "run"
    ended = ganvas(_words(recipe), folder, before=lambda: faults.at(point, occurrence, both))
    if ended.code != 130:
        return f"exit code {ended.code} and not 130: {ended}"
    if "Traceback" in ended.err:
        return f"a traceback: {ended}"
    if int(newest(run).stem) != _EVERY * BATCH:
        return f"the run was not left at once: newest checkpoint {newest(run).stem}"
    if text := states(checkpoint(straight, _EVERY), newest(run), _TRAINING):
        return text
    ended = ganvas(resume_words(recipe), folder)
    return str(ended) if ended.code != 0 else difference(straight, run)


def _random(plan: Plan, folder: Path, number: int) -> str | None:
    """A signal from outside, at a random time after training has begun."""
    draw = plan.random("signal", number)
    recipe = draw.choice(list(RECIPES))
    which = draw.choice([signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
    child = start(_words(recipe), folder)
    while not (folder / "run" / "metrics.jsonl").exists() and child.poll() is None:
        time.sleep(0.002)
    time.sleep(draw.uniform(0, 0.4) * plan.seconds(recipe))
    child.send(which)
    ended = child.wait()
    if ended.code == 0:  # it was done already
        return difference(plan.straight(recipe), folder / "run")
    return _check(plan, folder, recipe, which, ended, None)

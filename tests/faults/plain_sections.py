"""The same faults on plain Lightning, where they apply: fewer tries, the same measure."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from forge import Child, Try
from plain_lightning import newest_loadable, steps_of, train
from recipes import CASES, RECIPES, STEPS, Plan

import faults
from compare import count_difference, scalars, states

SECTIONS = ("resume_every_step", "random_sigkill", "kill_points", "storage", "signals")

_TRAINING = ("state_dict", "optimizer_states", "global_step", "epoch")
_NAMES = list(RECIPES)


def prepare(plan: Plan) -> list[Try]:
    """The uninterrupted runs."""
    return [
        Try(f"plain-{r}-{w}", lambda folder, r=r, w=w: _straight(plan, r, w))
        for r, w in CASES
        if not _run(plan, r, w).exists()
    ]


def tries(section: str, plan: Plan) -> Iterator[Try]:
    for name, function in {
        "resume_every_step": _resumes,
        "random_sigkill": _kills,
        "kill_points": _points,
        "storage": _storage,
        "signals": _signals,
    }[section](plan):
        yield Try(name, function)


Named = Iterator[tuple[str, Callable[[Path], object]]]


def _run(plan: Plan, recipe: str, workers: int) -> Path:
    return plan.work / "plain" / f"{recipe}-{workers}" / "run"


def _straight(plan: Plan, recipe: str, workers: int) -> str | None:
    run = _run(plan, recipe, workers)
    began = time.monotonic()
    ended = _start(recipe, workers, run.parent).wait()
    (run.parent / "seconds").write_text(str(time.monotonic() - began))
    return None if ended.code == 0 else str(ended)


def _start(
    recipe: str, workers: int, folder: Path, *, resume: bool = False, before: Callable[[], None] | None = None
) -> Child:
    def run() -> int:
        if before is not None:
            before()
        return train(recipe, workers, Path("run"), resume=resume)

    return Child(run, folder)


def _finish(plan: Plan, recipe: str, workers: int, folder: Path) -> str | None:
    """Resumes to the end and compares; a line for each kind of difference."""
    ended = _start(recipe, workers, folder, resume=True).wait()
    if ended.code != 0:
        return f"end: {ended}"
    return _difference(plan, recipe, workers, folder)


def _difference(plan: Plan, recipe: str, workers: int, folder: Path) -> str | None:
    straight, run = _run(plan, recipe, workers), folder / "run"
    last = [max(side.glob("checkpoints/0*.ckpt")) for side in (straight, run)]
    found = []
    if text := states(last[0], last[1], _TRAINING):
        found.append(f"parameters: {text}")
    wanted, there = (sorted(scalars(side / "tensorboard")) for side in (straight, run))
    if wanted != there:
        found.append("log: " + count_difference([str(x) for x in wanted], [str(x) for x in there]))
    return "\n  ".join(found) or None


def _cut(plan: Plan, recipe: str, workers: int, folder: Path, step: int) -> Path:
    straight, run = _run(plan, recipe, workers), folder / "run"
    shutil.copytree(straight, run)
    last = list(steps_of(run))[step - 1]
    for path in run.glob("checkpoints/*.ckpt"):
        if not path.stem.isdigit() or int(path.stem) > last:
            path.unlink()
    return run


def _resumes(plan: Plan) -> Named:
    for step in range(3, STEPS, 1 if plan.nightly else 10):
        for recipe, workers in CASES:

            def resume(folder: Path, r: str = recipe, w: int = workers, k: int = step) -> str | None:
                _cut(plan, r, w, folder, k)
                return _finish(plan, r, w, folder)

            yield f"{recipe}-workers{workers}-step{step}", resume


def _kills(plan: Plan) -> Named:
    for number in range(24 if plan.nightly else 4):
        recipe, workers = CASES[number % len(CASES)]
        yield f"{number}-{recipe}", lambda f, r=recipe, w=workers, n=number: _chain(plan, f, r, w, n)


def _chain(plan: Plan, folder: Path, recipe: str, workers: int, number: int) -> tuple[str | None, int]:
    draw, kills = plan.random("plain", number), 0
    whole = float((_run(plan, recipe, workers).parent / "seconds").read_text())
    for _ in range(3):
        child = _start(recipe, workers, folder, resume=(folder / "run").exists())
        time.sleep(draw.uniform(0.2, 0.8) * whole)
        if child.poll() is None:
            child.send(signal.SIGKILL)
        if child.wait().code == 0:
            break
        kills += 1
    return _finish(plan, recipe, workers, folder), max(1, kills)


def _points(plan: Plan) -> Named:
    named = (
        "in-d",
        "before-step",
        "in-g",
        "after-g-step",
        "validation",
        "epoch-end",
        "checkpoint-open",
        "checkpoint-before-replace",
        "checkpoint-after-replace",
        "event-torn",
    )
    gans = ("between-d-and-g", "in-ema")
    for number, point in enumerate((*named, *gans, "checkpoint-50")):
        for recipe in _NAMES[:2] if plan.nightly else (_NAMES[number % 2],):
            # Late enough for a checkpoint to be there; without one a run just starts again.
            occurrence = plan.random(point, recipe).randint(9, 16)
            occurrence = {"validation": 4, "epoch-end": 1}.get(point, occurrence)
            yield f"{recipe}-{point}", lambda f, r=recipe, p=point, o=occurrence: _kill(plan, f, r, p, o)


def _kill(plan: Plan, folder: Path, recipe: str, point: str, occurrence: int) -> str | None:
    size = max(_run(plan, recipe, 0).glob("checkpoints/0*.ckpt")).stat().st_size

    def before() -> None:
        stage(folder)
        if point == "checkpoint-50":
            faults.in_write(faults.CHECKPOINT, occurrence, lambda path: size // 2)
        else:
            faults.at(point, occurrence, faults.kill)

    ended = _start(recipe, 0, folder, before=before).wait()
    if ended.code >= 0:
        return f"end: {point} was not reached: {ended}"
    return _finish(plan, recipe, 0, folder)


def stage(folder: Path) -> None:
    """Lightning writes checkpoints in $TMPDIR first; there the faults look for them."""
    import tempfile

    (folder / "staging").mkdir(exist_ok=True)
    os.environ["TMPDIR"], tempfile.tempdir = str(folder / "staging"), None


def _storage(plan: Plan) -> Named:
    for number in range(6):
        place = plan.random("plain-flip", number).random()
        yield f"flip-{place:.3f}", lambda f, p=place: _damaged(plan, f, lambda data: _flip(data, p))
    for share in (0.0, 0.5, 0.99):
        yield f"cut-{share}", lambda f, s=share: _damaged(plan, f, lambda data: data[: int(len(data) * s)])
    for point, code in (
        ("checkpoint-open", errno.ENOSPC),
        ("checkpoint-open", errno.EACCES),
        ("checkpoint-before-replace", errno.EIO),
    ):
        yield f"{errno.errorcode[code]}-{point}", lambda f, p=point, c=code: _failing(plan, f, p, c)


def _flip(data: bytes, place: float) -> bytes:
    at = int(place * len(data))
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def _damaged(plan: Plan, folder: Path, change: Callable[[bytes], bytes]) -> str | None:
    run = _cut(plan, "vqvae", 0, folder, 20)
    newest = newest_loadable(run)
    assert newest is not None
    newest.write_bytes(change(newest.read_bytes()))
    return _finish(plan, "vqvae", 0, folder)


def _failing(plan: Plan, folder: Path, point: str, code: int) -> str | None:
    def before() -> None:
        stage(folder)
        faults.at(point, 9, faults.fail(code))

    ended = _start("vqvae", 0, folder, before=before).wait()
    if ended.code != 0:
        return f"end: the run did not go on: {ended}"
    return _difference(plan, "vqvae", 0, folder)


def _signals(plan: Plan) -> Named:
    for name, point in (
        ("SIGINT", "in-d"),
        ("SIGINT", "validation"),
        ("SIGTERM", "in-d"),
        ("SIGTERM", "in-g"),
        ("SIGTERM", "validation"),
        ("SIGUSR1", "in-d"),
        ("SIGUSR2", "in-d"),
    ):
        number = signal.Signals[name]
        yield f"{name}-{point}", lambda f, p=point, n=number: _signal(plan, f, p, n)


def _signal(plan: Plan, folder: Path, point: str, number: int) -> str | None:
    _start(
        "mlp_gan",
        0,
        folder,
        before=lambda: faults.at(point, 3 if point == "validation" else 12, faults.send(number)),
    ).wait()
    return _finish(plan, "mlp_gan", 0, folder)

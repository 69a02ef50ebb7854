"""Damaged checkpoints are passed over by name; a disk that fails ends no run and no good checkpoint."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import disks
from forge import Ended, Try, ganvas
from recipes import BATCH, RECIPES, STEPS, Plan, checkpoint, cut, resume_words, train_words

import faults
from compare import difference, newest, states

TITLE = "storage faults"
MINIMUM = 60
NEEDS = [(recipe, 0) for recipe in (*RECIPES, *disks.SOUNDS_AND_TEXTS)]

Damage = Callable[[Path], None]
_NAMES = list(RECIPES)


def tries(plan: Plan) -> Iterator[Try]:
    for number, (name, damage, broken) in enumerate(_damages(plan)):
        recipe = _NAMES[number % len(_NAMES)]
        yield Try(
            f"damage-{name}-{recipe}",
            lambda folder, r=recipe, d=damage, b=broken: _damaged(plan, folder, r, d, b),
        )
    yield Try("damage-all", lambda folder: _all_damaged(plan, folder))
    for number, (point, code) in enumerate(_FAILURES):
        recipe = _NAMES[number % len(_NAMES)]
        name = f"{errno.errorcode[code]}-{point}-{recipe}"
        draw = plan.random(name)
        first = draw.randint(3, STEPS - 2)
        yield Try(f"{name}-once-{first}", lambda f, a=(recipe, point, code, first): _once(plan, f, *a))
        yield Try(f"{name}-from-{first}", lambda f, a=(recipe, point, code, first): _for_good(plan, f, *a))
    yield Try("ENOSPC-last-alone", lambda f: _last_alone(plan, f))
    for size in (0.0, 0.5, 0.9):
        yield Try(f"EFBIG-at-{size:.0%}".replace("%", ""), lambda f, s=size: _too_large(plan, f, s))
    yield from disks.tries(plan)


def _damages(plan: Plan) -> Iterator[tuple[str, Damage, list[int]]]:
    """(name, what is done to the run, how many batches before the newest lie the broken checkpoints)."""
    for share in (0.0, 0.001, 0.1, 0.5, 0.9, 0.999):
        yield f"cut-{share:g}", lambda run, s=share: _truncate(newest(run), s), [0]
    for number in range(40 if plan.nightly else 8):
        place = plan.random("flip", number).random()
        yield f"flip-{place:.4f}", lambda run, p=place: _flip(newest(run), p), [0]
    for share in (0.0, 0.5):
        yield f"sidecar-cut-{share:g}", lambda run, s=share: _truncate(_sidecar(run), s), [0]
    for place in (0.0, 0.3, 0.7):
        yield f"sidecar-flip-{place:g}", lambda run, p=place: _flip(_sidecar(run), p, end=64), [0]
    yield "sidecar-gone", lambda run: _sidecar(run).unlink(), [0]
    yield "appended", lambda run: _append(newest(run)), [0]
    yield "zeroed", lambda run: newest(run).write_bytes(bytes(newest(run).stat().st_size)), [0]
    yield "checkpoint-gone", lambda run: newest(run).unlink(), []
    yield "litter", lambda run: (run / "checkpoints" / ".000000009999.ckpt.tmp").write_bytes(b"half"), []
    yield "another-ones", _another_ones, [0]
    yield "two-newest", lambda run: [_flip(path, 0.5) for path in _sorted(run)[-2:]] and None, [0, 1]
    yield "status-torn", lambda run: _truncate(run / "status.json", 0.5), []
    yield "row-torn", lambda run: _truncate(run / "metrics.jsonl", 0.99), []


def _sorted(run: Path) -> list[Path]:
    return sorted(run.glob("checkpoints/*.ckpt"))


def _sidecar(run: Path) -> Path:
    return newest(run).with_name(newest(run).name + ".sha256")


def _truncate(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def _flip(path: Path, place: float, end: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (end or len(data)))] ^= 4
    path.write_bytes(bytes(data))


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def _another_ones(run: Path) -> None:
    """The checkpoint before it, whole, under the newest one's name."""
    newest(run).write_bytes(_sorted(run)[-2].read_bytes())


def _damaged(plan: Plan, folder: Path, recipe: str, damage: Damage, broken: list[int]) -> str | None:
    step = plan.random("damage", recipe).randint(5, STEPS)
    straight = plan.straight(recipe)
    run = cut(straight, folder, step)
    names = [f"{(step - back) * BATCH:012d}.ckpt" for back in broken]
    damage(run)
    ended = ganvas(resume_words(recipe), folder)
    if ended.code != 0:
        return str(ended)
    said = ended.out + ended.err + (run / "train.log").read_text()
    unnamed = [name for name in names if name not in said]
    return f"passed over without a word: {unnamed}" if unnamed else difference(straight, run)


def _all_damaged(plan: Plan, folder: Path) -> str | None:
    """Nothing is whole: refused by name with everything left as it is, for a person to decide."""
    run = cut(plan.straight("dcgan"), folder, 9)
    for path in _sorted(run):
        _truncate(path, 0.5)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    ended = ganvas(resume_words("dcgan"), folder)
    if ended.code != 2 or newest(run).name not in ended.err or "Traceback" in ended.err:
        return f"exit code 2 and the names were due: {ended}"
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    return None if before == after else "the run's files were touched"


# Where writing a checkpoint can fail, and how.
_FAILURES = [
    ("checkpoint-open", errno.EACCES),
    ("checkpoint-open", errno.ENOSPC),
    ("sidecar-open", errno.EACCES),
    ("checkpoint-before-fsync", errno.EIO),
    ("sidecar-before-fsync", errno.EIO),
    ("folder-fsync", errno.EIO),
    ("checkpoint-before-replace", errno.EIO),
    ("checkpoint-before-replace", errno.EACCES),
    ("sidecar-before-replace", errno.ENOSPC),
]


def _once(plan: Plan, folder: Path, recipe: str, point: str, code: int, first: int) -> str | None:
    """One checkpoint cannot be written: nothing else changes, and status.json tells it once."""
    ended = ganvas(train_words(recipe), folder, before=lambda: faults.at(point, first, faults.fail(code)))
    return finished_with_write_error(plan, folder, recipe, ended)


def finished_with_write_error(
    plan: Plan, folder: Path, recipe: str, ended: Ended, least: int = 1, most: int = 1
) -> str | None:
    if ended.code != 0:
        return str(ended)
    errors = json.loads((folder / "run" / "status.json").read_text()).get("write_errors") or []
    if not least <= len(errors) <= most:
        return f"status.json tells {len(errors)} write errors: {errors}"
    return difference(plan.straight(recipe), folder / "run")


def _for_good(plan: Plan, folder: Path, recipe: str, point: str, code: int, first: int) -> str | None:
    """From the n-th checkpoint on none can be written."""
    ended = ganvas(
        train_words(recipe),
        folder,
        before=lambda: faults.at(point, first, faults.fail(code), until=10**9),
    )
    return kept_the_last(plan, folder, recipe, ended, first if "folder" not in point else None)


def kept_the_last(plan: Plan, folder: Path, recipe: str, ended: Ended, first: int | None) -> str | None:
    """The run went on to its end, says that its last state is lost, and kept the last good checkpoint."""
    straight, run = plan.straight(recipe), folder / "run"
    if ended.code <= 0:
        return f"an exit code that tells of it was due: {ended}"
    status = json.loads((run / "status.json").read_text())
    if status.get("examples_seen") != STEPS * BATCH:
        return f"training did not go on to its end: {status.get('examples_seen')} examples; {ended}"
    if len(status.get("write_errors") or []) != 1:
        return f"status.json tells {status.get('write_errors')}"
    from ganvas.run.folder.run_folder import RunFolder

    good = RunFolder(run).newest_checkpoint()
    if good is None:
        return "no good checkpoint is left"
    step = int(good.stem) // BATCH
    if first is not None and step != first - 1:
        return f"the newest good checkpoint is of batch {step}, not {first - 1}"
    if text := states(checkpoint(straight, step), good):
        return f"the last good checkpoint: {text}"
    ended = ganvas(resume_words(recipe), folder)
    return str(ended) if ended.code != 0 else difference(straight, run)


def _last_alone(plan: Plan, folder: Path) -> str | None:
    ended = ganvas(
        train_words("vqvae"),
        folder,
        before=lambda: faults.at("checkpoint-open", STEPS, faults.fail(errno.ENOSPC), until=10**9),
    )
    return kept_the_last(plan, folder, "vqvae", ended, STEPS)


def _too_large(plan: Plan, folder: Path, share: float) -> str | None:
    """A write that fails after so many bytes of one checkpoint; the next one is whole again."""
    size = checkpoint(plan.straight("dcgan"), STEPS).stat().st_size
    count = 0

    def reached(path: str) -> None:
        nonlocal count
        count += 1
        if count == 9:
            faults.limit_writes(int(size * share))

    def freed(path: str) -> None:
        faults.limit_writes(None)

    def before() -> None:
        faults.opened(r".", freed)  # the next file that is opened is written again
        faults.opened(faults.CHECKPOINT, reached)

    ended = ganvas(train_words("dcgan"), folder, before=before)
    return finished_with_write_error(plan, folder, "dcgan", ended)

"""Disks that refuse: read-only, another user's, calls that fail as on NFS: said in one line, nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import commands
import disks
import system_calls
from commands import COMMANDS, NEW, STATUS, SWEEP, TRAINING
from forge import Ended, Try
from recipes import Plan
from system_calls import FOLDER, LOCK, OPEN, RENAME, SYNC, TRUNCATE, WRITE

from compare import difference, scalars

TITLE = "disks that refuse"
MINIMUM = 40 if system_calls.is_there() and os.geteuid() == 0 else 16
NEEDS: list[tuple[str, int]] = []

_NOBODY = 65534
_CALLS = [
    (OPEN, errno.EACCES),
    (OPEN, errno.ESTALE),
    (OPEN, errno.EROFS),
    (WRITE, errno.EIO),
    (WRITE, errno.ENOSPC),
    (WRITE, errno.EDQUOT),
    (SYNC, errno.EIO),
    (SYNC, errno.ESTALE),
    (SYNC, errno.EDQUOT),
    (SYNC, errno.EINVAL),  # a file system that has none
    (RENAME, errno.EIO),
    (RENAME, errno.ESTALE),
    (RENAME, errno.EROFS),
    (FOLDER, errno.EROFS),
    (FOLDER, errno.ESTALE),
    (TRUNCATE, errno.EIO),
    (LOCK, errno.ENOSYS),  # file systems without locks
    (LOCK, errno.ENOLCK),
]
_ABSENT = {(SYNC, errno.EINVAL), (LOCK, errno.ENOSYS), (LOCK, errno.ENOLCK)}  # what nobody should notice
_COMMANDS = (
    *("evaluate", "sample-png", "sample-npz", "sample-folder", "compare-csv", "compare-html", "plot"),
    *("export", "export-torch", "sample-txt", "sample-wav", "encode-wav"),
    *("shards", "runs-rm", "sweep-best", "init"),
)
# On a disk that cannot be written at all: what still works (0), is computed and printed (1), or refused (2).
_UNWRITABLE = {"evaluate": 1, "sweep-status": 0}
prepare = commands.warm


def tries(plan: Plan) -> Iterator[Try]:
    base = commands.made(plan.work)
    words = {name: COMMANDS[name].words for name in _COMMANDS} | TRAINING | {"sweep-status": STATUS}
    if os.geteuid() != 0:
        print("disks that refuse: only root can mount and be another user; these tries are left out")
    else:
        for name in words:
            code = _UNWRITABLE.get(name, 2)
            for kind in ("read-only", "another-users") if disks.may_mount() else ("another-users",):
                yield Try(
                    f"{kind}-{name}",
                    lambda f, k=kind, n=name, w=words[name], c=code: _unwritable(f, base, k, n, w, c),
                )
    if not system_calls.is_there():
        return
    count = 60 if plan.nightly else 2
    for name in words:
        yield Try(
            f"calls-{name}",
            lambda f, n=name, w=words[name]: _calls(plan, f, base, n, w, count),
            timeout=60.0 + 10 * count,
        )


def _unwritable(
    folder: Path, base: Path, kind: str, name: str, words: tuple[str, ...], code: int
) -> str | None:
    """The whole place cannot be written; and the same with the results somewhere of one's own."""
    place, own = folder / "place", folder / "own"
    commands.lay_out(base, place)
    own.mkdir()
    before = commands.contents(place)
    if kind == "read-only":
        disks.own_mounts()
        subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        be: Callable[[], None] = commands.fork_jobs
    else:
        for path in folder.parents:
            if path.is_relative_to(folder.parents[1]):
                os.chmod(path, 0o755)
        os.chown(own, _NOBODY, _NOBODY)
        be = lambda: _be_nobody(own)  # noqa: E731
    ended = commands.run(words, place, before=be)
    if wrong := _said(ended, (code,)):
        return wrong
    if code == 1 and "fid" not in ended.out:
        return f"what was computed is lost: {ended}"
    if commands.contents(place) != before:
        return "files changed"
    if code == 2 and "writ" not in ended.err:
        return f"another reason: {ended}"
    elsewhere = [f"{own}/{word}" if word.startswith(("new.", "made")) else word for word in words]
    if elsewhere != list(words):
        ended = commands.run(elsewhere, place, before=be)
        if ended.code != 0 or not any(own.iterdir()):
            return f"into a folder of one's own: {ended}"
    return None


def _be_nobody(home: Path) -> None:
    """This process becomes one of a user who is not root, and whose home is ``home``."""
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    os.environ |= {"HOME": str(home), "TMPDIR": str(home)}
    commands.fork_jobs()


def _said(ended: Ended, codes: tuple[int, ...]) -> str | None:
    """Whether it ended with one of these codes, and said why in one line."""
    if ended.code not in codes:
        return f"an exit code of {codes} was due: {ended}"
    if "Traceback" in ended.err + ended.out:
        return f"a traceback: {ended}"
    lines = ended.err.strip().splitlines()
    said = [*ended.out.strip().splitlines(), *lines]  # a sweep's table tells of its jobs
    if ended.code and (not said or len(said[-1]) > 1000):
        return f"one line was due: {ended}"
    if ended.code == 2 and len(lines) != 1:
        return f"{len(lines)} lines: {ended}"
    return None


def _calls(
    plan: Plan, folder: Path, base: Path, name: str, words: tuple[str, ...], count: int
) -> tuple[str | None, int]:
    """Calls that fail once, or from some time on."""
    draw = plan.random("refuse", name)
    whole = folder / "whole"
    commands.lay_out(base, whole)
    note = folder / "calls"
    ended = commands.run(
        words,
        whole,
        before=lambda: (commands.fork_jobs(), system_calls.watch(whole)),
        after=lambda: note.write_text(json.dumps(list(system_calls.counted().items()))),
    )
    if ended.code != 0:
        return f"not even undisturbed: {ended}", 1
    there = {call: many for call, many in json.loads(note.read_text()) if many}
    kinds = [kind for kind in _CALLS if kind[0] in there]
    if not kinds:  # it changes nothing
        return None, 1
    draw.shuffle(kinds)
    for number in range(count):
        call, code = kinds[number % len(kinds)]
        first = draw.randint(1, there[call])
        last = system_calls.ALWAYS if (call, code) in _ABSENT or draw.random() < 0.5 else first
        first = 1 if (call, code) in _ABSENT else first
        told = f"{errno.errorcode[code]} of {system_calls.NAMES[call]} {first} of {there[call]}"
        told += " and all after it" if last > first else ""
        place = folder / f"{number:02d}"
        commands.lay_out(base, place)
        before = commands.contents(place)
        ended = commands.run(
            words,
            place,
            before=lambda: (
                commands.fork_jobs(),
                system_calls.arm(call, place, code, first=first, last=last),  # noqa: B023
            ),
        )
        wrong = _said(ended, (0,) if (call, code) in _ABSENT else (0, 1, 2))
        wrong = wrong or _kept(name, whole, place, before, ended)
        if wrong is None and ended.code != 0:
            wrong = _again(name, words, whole, place)
        if wrong is not None:
            return f"{told}: {wrong}", number + 1
        shutil.rmtree(place)
    return None, count


def _kept(name: str, whole: Path, place: Path, before: dict[str, str], ended: Ended) -> str | None:
    """What was there is there, or the new thing is."""
    if name in TRAINING:
        lost = [
            path for path in before if path.endswith((".ckpt", "run.yaml")) and not (place / path).exists()
        ]
        if lost:
            return f"{lost} are gone: {ended}"
        return _same_runs(name, whole, place) if ended.code == 0 else None
    after, wanted = commands.contents(place), commands.contents(whole)
    if ended.code == 0:
        other = [path for path in after.keys() | wanted.keys() if after.get(path) != wanted.get(path)]
        return f"it said nothing, and {sorted(other)[:3]} are others" if other else None
    if name == "runs-rm":
        return None  # see _again
    changed = [path for path in after.keys() | before.keys() if after.get(path) != before.get(path)]
    return f"{sorted(changed)[:3]} changed: {ended}" if changed else None


def _same_runs(name: str, whole: Path, place: Path) -> str | None:
    runs = {"train": [NEW], "resume": [commands.A]}.get(name) or [
        f"{SWEEP}/{path.name}" for path in (whole / SWEEP).iterdir() if (path / "run.yaml").exists()
    ]
    for run in runs:
        if not (place / run).exists():
            return f"there is no {run}"
        if text := _difference(whole / run, place / run):
            return f"{run}: {text}"
    return None


def _difference(whole: Path, run: Path) -> str | None:
    """As compare.difference; what status.json says was not written may be missing in logs and samples."""
    told = {one["what"] for one in json.loads((run / "status.json").read_text()).get("write_errors") or []}
    if told & {"TensorBoard", "samples"}:
        shutil.copytree(whole, aside := run.with_name("aside"))
        try:
            for name in ("tensorboard", "samples"):
                shutil.rmtree(aside / name)
                shutil.copytree(run / name, aside / name)
            extra = Counter(scalars(run / "tensorboard")) - Counter(scalars(whole / "tensorboard"))
            more = {path.name for path in run.glob("samples/*")} - {
                path.name for path in whole.glob("samples/*")
            }
            if extra or more:
                return f"twice or others: {list(extra)[:2]} {list(more)[:2]}"
            return difference(aside, run)
        finally:
            shutil.rmtree(aside)
    return difference(whole, run)


def _again(name: str, words: tuple[str, ...], whole: Path, place: Path) -> str | None:
    """The disk works again: the run goes on to the same end, the command does what it did not."""
    if name == "train" and (place / NEW / "run.yaml").exists():
        words = ("resume", NEW)
    if name == "sweep-run" and (place / SWEEP / "sweep.json").exists():
        words = ("sweep", "retry", SWEEP)
    ended = commands.run(words, place, before=commands.fork_jobs)
    if ended.code != 0 and not (name == "runs-rm" and "RUN=" in ended.err):
        return f"with a disk that works again: {ended}"
    if name in TRAINING:
        text = _same_runs(name, whole, place)
    else:
        after, wanted = commands.contents(place), commands.contents(whole)
        other = [path for path in after.keys() | wanted.keys() if after.get(path) != wanted.get(path)]
        text = f"{sorted(other)[:3]}" if other else None
    return text and f"with a disk that works again: {text}"

"""Real disks that fail: a small tmpfs that fills up, a read-only mount, somebody else's folder, $TMPDIR."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from forge import Try, ganvas
from recipes import BATCH, RECIPES, STEPS, Plan, checkpoint, cut, resume_words, train_words

import faults
from compare import difference, newest

_NEW_MOUNTS = 0x00020000  # unshare(2): mounts of this try alone, gone with its processes
SOUNDS_AND_TEXTS = ("sound_vqvae", "wavegan", "text_vqvae", "bytes")


def may_mount() -> bool:
    """Whether this process can have mounts of its own; without it the tries that need them are left out."""
    pid = os.fork()
    if pid == 0:
        try:
            own_mounts()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def own_mounts() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True)


def tries(plan: Plan) -> Iterator[Try]:
    for recipe in RECIPES:
        yield Try(f"tmpdir-gone-{recipe}", lambda f, r=recipe: _tmpdir(plan, f, r, "gone"))
        yield Try(f"tmpdir-killed-{recipe}", lambda f, r=recipe: _tmpdir(plan, f, r, "killed"))
    if os.geteuid() != 0 or not may_mount():
        print(
            "storage: mounts need root; the tries on a full tmpfs, a read-only mount and EACCES are left out"
        )
        return
    for recipe in RECIPES:
        for fit in (1.5, 4.0):
            yield Try(f"ENOSPC-tmpfs-{recipe}-{fit:g}", lambda f, r=recipe, s=fit: _full(plan, f, r, s))
        yield Try(f"ENOSPC-freed-{recipe}", lambda f, r=recipe: _freed(plan, f, r))
        yield Try(f"ENOSPC-whole-run-{recipe}", lambda f, r=recipe: _whole_run_full(plan, f, r))
        yield Try(f"EROFS-{recipe}", lambda f, r=recipe: _read_only(plan, f, r))
        yield Try(f"EACCES-somebody-elses-{recipe}", lambda f, r=recipe: _somebody_elses(plan, f, r))
        yield Try(f"tmpdir-other-device-{recipe}", lambda f, r=recipe: _tmpdir(plan, f, r, "tmpfs"))
    for recipe in SOUNDS_AND_TEXTS:
        yield Try(f"ENOSPC-whole-run-{recipe}", lambda f, r=recipe: _whole_run_full(plan, f, r))
    yield Try("ENOSPC-cache-sound_vqvae", lambda f: _cache_full(plan, f, "sound_vqvae"))


def _mount(folder: Path, kilobytes: int) -> None:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)


def _enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)


def _kilobytes(plan: Plan, recipe: str, checkpoints: float) -> int:
    return int(checkpoint(plan.straight(recipe), STEPS).stat().st_size * checkpoints / 1024) + 24


def _on_small_disk(plan: Plan, folder: Path, recipe: str, step: int, more: float) -> Path:
    """A run cut at ``step`` whose checkpoints lie on a tmpfs with room for ``more`` further ones."""
    own_mounts()
    run = cut(plan.straight(recipe), folder, step, keep=2)
    target = run / "checkpoints"
    aside = shutil.move(target, folder / "aside")
    _mount(target, _kilobytes(plan, recipe, 2 + more))
    for path in Path(aside).iterdir():
        shutil.copyfile(path, target / path.name)
    return run


def _full(plan: Plan, folder: Path, recipe: str, more: float) -> str | None:
    from storage import kept_the_last

    run = _on_small_disk(plan, folder, recipe, 8, more)
    ended = ganvas(resume_words(recipe), folder)
    for path in (run / "checkpoints").glob(".*"):
        return f"{path.name} is left on a full disk"
    made = int(newest(run).stem) // BATCH
    if not 8 <= made < STEPS:
        return f"the disk took checkpoint {made}"
    _enlarge(run / "checkpoints")
    return kept_the_last(plan, folder, recipe, ended, None)


def _freed(plan: Plan, folder: Path, recipe: str) -> str | None:
    """Somebody makes room while the run goes on."""
    from storage import finished_with_write_error

    run = _on_small_disk(plan, folder, recipe, 8, 2.5)
    point = "in-d"
    ended = ganvas(
        resume_words(recipe),
        folder,
        before=lambda: faults.at(point, 12, lambda: _enlarge(run / "checkpoints")),
    )
    return finished_with_write_error(plan, folder, recipe, ended)


def _whole_run_full(plan: Plan, folder: Path, recipe: str) -> str | None:
    """Logs, images, sounds and status.json lie on the full disk too, and a cache of decoded sounds."""
    own_mounts()
    disk = folder / "disk"
    cache = plan.straight(recipe).parent / "cache"
    kept = sum(path.stat().st_size for path in cache.iterdir()) // 1024 if cache.exists() else 0
    _mount(disk, _kilobytes(plan, recipe, 6.3) + kept + 120)
    ended = ganvas(train_words(recipe), disk)
    run = disk / "run"
    if ended.code == 0:
        return f"it cannot have been written: {ended}"
    _enlarge(disk)
    before = newest(run).stem
    ended = ganvas(resume_words(recipe), disk)
    if ended.code != 0:
        return f"resumed from {before}: {ended}"
    return difference(plan.straight(recipe), run)


def _cache_full(plan: Plan, folder: Path, recipe: str) -> str | None:
    """There is no room for the decoded sounds: nothing has begun, and nothing is left."""
    own_mounts()
    disk = folder / "disk"
    _mount(disk, 120)
    ended = ganvas(train_words(recipe), disk)
    said = ended.err.strip().splitlines()
    if ended.code != 2 or len(said) != 1 or "16 sound files need 25" not in said[0]:  # kB
        return f"it was to be refused in a line: {ended}"
    beside = (".lock", ".err", ".out")  # what the process said
    if left := [path for path in disk.rglob("*") if path.is_file() and path.suffix not in beside]:
        return f"{left} are left"
    _enlarge(disk)
    ended = ganvas(train_words(recipe), disk)
    return str(ended) if ended.code != 0 else difference(plan.straight(recipe), disk / "run")


def _read_only(plan: Plan, folder: Path, recipe: str) -> str | None:
    from storage import kept_the_last

    run = cut(plan.straight(recipe), folder, 20)
    target = str(run / "checkpoints")
    own_mounts()
    subprocess.run(["mount", "--bind", target, target], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", target], check=True)
    ended = ganvas(resume_words(recipe), folder)
    subprocess.run(["umount", target], check=True)
    return kept_the_last(plan, folder, recipe, ended, 21)


def _somebody_elses(plan: Plan, folder: Path, recipe: str) -> str | None:
    """A real EACCES: the run belongs to a user who may not write into the checkpoints' folder."""
    from storage import kept_the_last

    nobody = 65534
    run = cut(plan.straight(recipe), folder, 20)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, nobody, nobody)
    os.chmod(run / "checkpoints", 0o555)
    for path in folder.parents:
        if path.is_relative_to(plan.work):
            os.chmod(path, 0o755)

    def before() -> None:
        os.setgroups([])
        os.setgid(nobody)
        os.setuid(nobody)

    ended = ganvas(resume_words(recipe), folder, before=before)
    os.chmod(run / "checkpoints", 0o755)
    return kept_the_last(plan, folder, recipe, ended, 21)


def _tmpdir(plan: Plan, folder: Path, recipe: str, kind: str) -> str | None:
    """$TMPDIR is another device, absent, or seen by a kill: no checkpoint passes through it."""
    import tempfile

    place = folder / "staging"
    if kind == "tmpfs":
        own_mounts()
        _mount(place, 4)  # less than a checkpoint
    elif kind == "killed":
        place.mkdir()

    def before(occurrence: int | None = None) -> None:
        os.environ["TMPDIR"], tempfile.tempdir = str(place), None
        if occurrence:
            faults.at("checkpoint-before-replace", occurrence, faults.kill)

    if kind == "killed":
        ended = ganvas(train_words(recipe), folder, before=lambda: before(9))
        if ended.code >= 0:
            return f"it was to be killed: {ended}"
        if list(place.iterdir()):
            return f"$TMPDIR holds {[path.name for path in place.iterdir()]}"
        ended = ganvas(resume_words(recipe), folder, before=before)
    else:
        ended = ganvas(train_words(recipe), folder, before=before)
    return str(ended) if ended.code != 0 else difference(plan.straight(recipe), folder / "run")

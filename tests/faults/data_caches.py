"""Caches of decoded sounds: damaged, cut, gone, or half written as the process was killed: made anew."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from forge import Try, ganvas
from recipes import Plan, cut, resume_words, train_words

import faults
from compare import difference

TITLE = "caches of data: damage and kills"
MINIMUM = 14
NEEDS = [("sound_vqvae", 0)]

_RECIPE = "sound_vqvae"
_ARRAY, _ABOUT = r"\.npy", r"cache/.*\.json"
# file: where a write of it is killed, in bytes
_KILLS = {
    "array-begun": (_ARRAY, 0),
    "array-header": (_ARRAY, 128),
    "array-half": (_ARRAY, 100_000),
    "about-begun": (_ABOUT, 0),
    "about-half": (_ABOUT, 200),
}


def _flip(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 4
    path.write_bytes(bytes(content))


def _cut(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))


_DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "array-gone": ("*.npy", Path.unlink),
    "array-cut": ("*.npy", lambda path: _cut(path, 0.5)),
    "array-empty": ("*.npy", lambda path: _cut(path, 0.0)),
    "array-header": ("*.npy", lambda path: _flip(path, 0.0)),
    "array-flipped": ("*.npy", lambda path: _flip(path, 0.7)),
    "about-gone": ("*.json", Path.unlink),
    "about-cut": ("*.json", lambda path: _cut(path, 0.5)),
    "about-flipped": ("*.json", lambda path: _flip(path, 0.5)),
    "all-gone": (".", shutil.rmtree),
}


def tries(plan: Plan) -> Iterator[Try]:
    for name, (pattern, damage) in _DAMAGES.items():
        step = plan.random("cache", name).randint(1, 29)
        yield Try(f"{name}-step{step}", lambda f, p=pattern, d=damage, k=step: _damaged(plan, f, p, d, k))
    for name, (pattern, where) in _KILLS.items():
        yield Try(f"killed-{name}", lambda f, p=pattern, w=where: _killed(plan, f, p, w))


def _damaged(plan: Plan, folder: Path, pattern: str, damage: Callable[[Path], None], step: int) -> str | None:
    """A run goes on beside a cache that is not what was written."""
    straight = plan.straight(_RECIPE)
    run, cache = cut(straight, folder, step), folder / "cache"
    shutil.copytree(straight.parent / "cache", cache)
    (path,) = [cache] if pattern == "." else cache.glob(pattern)
    damage(path)
    ended = ganvas(resume_words(_RECIPE, f"data.cache_dir={cache}"), folder)
    if ended.code != 0:
        return str(ended)
    return _other_cache(straight, folder) or difference(straight, run)


def _killed(plan: Plan, folder: Path, pattern: str, where: int) -> str | None:
    """Killed while its sounds are decoded; the same command makes the run."""
    words = train_words(_RECIPE)
    ended = ganvas(words, folder, before=lambda: faults.in_write(pattern, 1, lambda path: where))
    if ended.code not in (-signal.SIGKILL, -signal.SIGXFSZ):
        return f"it was to be killed: {ended}"
    run = folder / "run"
    ended = ganvas(resume_words(_RECIPE) if (run / "run.yaml").exists() else words, folder)
    if ended.code != 0:
        return str(ended)
    straight = plan.straight(_RECIPE)
    return _other_cache(straight, folder) or difference(straight, run)


def _other_cache(straight: Path, folder: Path) -> str | None:
    """The cache is the whole run's, and nothing else lies beside it."""
    whole, made = (_files(place / "cache") for place in (straight.parent, folder))
    if whole.keys() != made.keys():
        return f"the cache holds {sorted(made)}, not {sorted(whole)}"
    changed = [name for name, content in whole.items() if content != made[name]]
    return f"{changed} are not those of the whole run" if changed else None


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

"""Which shards there are: patterns like ``train-{000000..000063}.tar``, or the tar files of a folder."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from ganvas.data.files.split_names import SPLIT_NAMES, split_of
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}|(?<!\d)(\d+)\.\.(\d+)")  # with braces as bash has them, or without
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")
_WORD = re.compile(rf"(?:^|[^a-z])({'|'.join(SPLIT_NAMES)})(?=[^a-z]|$)")
_MAX_SHARDS = 1_000_000


def expand(pattern: str, *, option: str, root: Path | None) -> list[Path]:
    """The shards that a pattern names, in its order; ``*`` and ``?`` take those that are there, sorted.

    Raises:
        OptionError: ``option``: a range that is none, an address, nothing found.
    """

    def held(condition: bool, reason: str) -> None:
        require(condition, option, pattern, reason)

    held(pattern != "", "is empty; name shards, e.g. train-{000000..000063}.tar")
    remote = re.match(r"[a-z][a-z0-9+]*:", pattern) is not None
    held(not remote, "is no file of this machine; copy the shards to a disk that it sees, or mount them")
    paths = []
    for name in _braces(pattern, option):
        path = expanded(name, option) if root is None else root / name
        if glob.has_magic(str(path)):
            found = sorted(map(Path, glob.glob(str(path))))
            held(bool(found), f"no file is called like {name}; see what the folder holds")
            paths += found
        else:
            paths.append(path)
        held(len(paths) <= _MAX_SHARDS, f"names more than {_MAX_SHARDS:,} shards; is the range right?")
    twice = (
        sorted({path.name for path in paths if paths.count(path) > 1}) if len(set(paths)) < len(paths) else []
    )
    held(not twice, f"names {', '.join(twice[:3])} twice; name every shard once")
    return paths


def _braces(pattern: str, option: str) -> list[str]:
    """The names behind the pattern's first range or choice, and so on; bash's order."""
    choice, span = _CHOICE.search(pattern), _RANGE.search(pattern)
    found = min((one for one in (choice, span) if one), key=lambda one: one.start(), default=None)
    if found is None:
        require(not set("{}") & set(pattern), option, pattern, "has a brace that is no range like {00..63}")
        return [pattern]
    if found is choice:
        middles = found[1].split(",")
    else:
        first, last = found[1] or found[3], found[2] or found[4]
        backwards = int(first) > int(last)
        require(not backwards, option, pattern, f"counts from {first} down to {last}; turn it round")
        too_many = int(last) - int(first) >= _MAX_SHARDS
        require(not too_many, option, pattern, f"names more than {_MAX_SHARDS:,} shards; is the range right?")
        width = len(first) if first.startswith("0") or len(first) == len(last) else 0
        middles = [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [before + middle + rest for middle in middles for rest in _braces(after, option)]


def find_shards(root: Path) -> dict[str, list[Path]]:
    """The .tar files of a folder by split, sorted by name: by the split's name in theirs or in a subfolder's.

    Where no name says a split, all are ``train``.

    Raises:
        OptionError: ``root``: nothing there, a file of no split beside those of one, a gap in the numbers.
    """
    require(os.path.exists(root), "root", str(root), "does not exist; name a folder of .tar shards")
    require(root.is_dir(), "root", str(root), "is a file; name its folder, or data.shards=FILE.tar")
    folders = [root, *_split_folders(root)]
    found: dict[str, list[Path]] = {"train": [], "val": [], "test": []}
    unnamed: list[Path] = []
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not path.name.endswith((".tar", ".tar.gz", ".tgz")):
                continue
            word = split_of(folder.name) if folder != root else _split_in(path.stem.lower())
            (unnamed if word is None else found[word]).append(path)
    if unnamed and not any(found.values()):
        found["train"], unnamed = unnamed, []
    if unnamed:
        reason = f"shard {unnamed[0].name} names no split, and others do; choose by data.shards=..."
        raise OptionError("root", str(root), reason)
    require(
        bool(found["train"]),
        "root",
        str(root),
        "holds no shards to train on; a shard is e.g. train-000000.tar",
    )
    for paths in found.values():
        _require_no_gap(root, paths)
    return found


def passed_over(root: Path, taken: Collection[Path]) -> Counter[str]:
    """What :func:`find_shards` left out of a folder: kind of file -> how many."""
    found: Counter[str] = Counter()
    split_folders = _split_folders(root)
    for folder in (root, *split_folders):
        for path in folder.iterdir():
            if path.name.startswith("."):
                found["hidden"] += 1
            elif path.is_dir():
                found["folder"] += path not in split_folders
            elif path not in taken:
                found[path.suffix.lower() or "without a suffix"] += 1
    return found


def _split_folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if split_of(path.name) is not None and path.is_dir())


def _split_in(stem: str) -> str | None:
    words = {SPLIT_NAMES[word] for word in _WORD.findall(stem)}
    return words.pop() if len(words) == 1 else None


def _require_no_gap(root: Path, paths: Sequence[Path]) -> None:
    """A number that is missing between others is a shard that was not fetched."""
    for before, after in itertools.pairwise(paths):
        split = [re.fullmatch(r"(.*?)(\d+)(\.tar)", path.name) for path in (before, after)]
        one, other = split
        if one is None or other is None or one[1] != other[1] or before.parent != after.parent:
            continue
        if len(one[2]) == len(other[2]) and int(other[2]) != int(one[2]) + 1:
            missing = f"{one[1]}{int(one[2]) + 1:0{len(one[2])}}.tar"
            reason = f"shard {missing} is missing between {before.name} and {after.name}; fetch it, or name "
            raise OptionError("root", str(root), reason + "those that you want by data.shards=...")

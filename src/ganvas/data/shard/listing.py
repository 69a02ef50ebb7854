"""Which shards there are: patterns like ``train-{000000..000063}.tar``, or the tar files of a folder."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ganvas.data.files.split_names import SPLIT_NAMES, split_of
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded

_RANGE = re.compile(
    r"\{([0-9]+)\.\.([0-9]+)\}|(?<![0-9])([0-9]+)\.\.([0-9]+)"
)  # with braces as bash has them, or without
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")
_WORD = re.compile(rf"(?:^|[^a-z])({'|'.join(SPLIT_NAMES)})(?=[^a-z]|$)")
_MAX_SHARDS = 1_000_000
_LONGEST = 10_000  # letters of a pattern
_MAX_DIGITS = 100  # of a range's number, zeros in front counted


def expand(pattern: str, *, option: str, root: Path | None) -> list[Path]:
    """The shards that a pattern names, in its order; ``*`` and ``?`` take those that are there, sorted.

    Raises:
        OptionError: ``option``: a range that is none, an address, nothing found.
    """

    def held(condition: bool, reason: str) -> None:
        require(condition, option, pattern, reason)

    held(pattern != "", "is empty; name shards, e.g. train-{000000..000063}.tar")
    held(len(pattern) <= _LONGEST, f"has {len(pattern):,} letters; no file has such a name")
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
    twice = sorted({path.name for path, times in Counter(paths).items() if times > 1})
    held(not twice, f"names {', '.join(twice[:3])} twice; name every shard once")
    return paths


def _braces(pattern: str, option: str) -> Iterator[str]:
    """The names that a pattern's ranges and choices stand for, in bash's order; counted before any is made.

    Raises:
        OptionError: ``option``: a brace or a range that is none, or too many names.
    """
    parts: list[Sequence[str]] = []
    rest, count = pattern, 1
    while (found := _first_brace(rest)) is not None:
        parts += [[rest[: found.start()]], _alternatives(found, pattern, option)]
        rest = rest[found.end() :]
        count *= len(parts[-1])
        _require_not_too_many(count, pattern, option)
    parts.append([rest])
    loose = any(set("{}") & set(part[0]) for part in parts[::2])
    require(not loose, option, pattern, "has a brace that is no range like {00..63}")
    return map("".join, itertools.product(*parts))


def _first_brace(pattern: str) -> re.Match[str] | None:
    matches = [_CHOICE.search(pattern), _RANGE.search(pattern)]
    return min((one for one in matches if one), key=lambda one: one.start(), default=None)


def _alternatives(found: re.Match[str], pattern: str, option: str) -> Sequence[str]:
    """What one range or choice stands for."""
    if found.re is _CHOICE:
        return found[1].split(",")
    first, last = found[1] or found[3], found[2] or found[4]
    digits = max(len(first), len(last))
    require(digits <= _MAX_DIGITS, option, pattern, f"has a number of {digits:,} digits; is the range right?")
    backwards = int(first) > int(last)
    require(not backwards, option, pattern, f"counts from {first} down to {last}; turn it round")
    _require_not_too_many(int(last) - int(first) + 1, pattern, option)
    width = len(first) if first.startswith("0") or len(first) == len(last) else 0
    return [str(number).zfill(width) for number in range(int(first), int(last) + 1)]


def _require_not_too_many(count: int, pattern: str, option: str) -> None:
    reason = f"names {count:,} shards or more, and at most {_MAX_SHARDS:,} are taken; is the range right?"
    require(count <= _MAX_SHARDS, option, pattern, reason)


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

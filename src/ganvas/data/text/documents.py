"""A folder of texts: which files are there, which are passed over, and which cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from ganvas.data.files.damaged import Damage, describe
from ganvas.data.files.split_names import split_of
from ganvas.errors import OptionError, require
from ganvas.files.read import open_regular

EVERY = "*"  # the pattern that takes every file but binary ones
_SNIFFED = 8192  # bytes in which a NUL says that a file is binary, as git tells it (buffer_is_binary)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-8 and UTF-16


class Piece(NamedTuple):
    """Bytes ``start`` to ``stop`` of a file."""

    path: Path
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


class Texts(NamedTuple):
    """What was found.

    Attributes:
        splits: whole files by split, in the order of their names; ``train`` alone where folders name none.
        passed_over: kind -> how many.
        marked: files that begin with a byte order mark.
    """

    splits: dict[str, list[Piece]]
    passed_over: Counter[str]
    marked: int


def find_texts(root: Path, pattern: str) -> Texts:
    """The texts of ``root``, a file or a folder of files at any depth.

    Raises:
        OptionError: ``root``: no text is there, or files cannot be read, all of them named.
    """
    if root.is_dir():
        return _Search(root, pattern).texts()
    size, head = _opened(root, "root")
    require(size > 0, "root", str(root), "is empty; name a file of text, or a folder of such")
    return Texts({"train": [Piece(root, 0, size)]}, Counter(), int(head.startswith(_MARKS)))


def _opened(path: Path, option: str) -> tuple[int, bytes]:
    """Size of a file, and its first bytes."""
    try:
        with open_regular(path) as file:
            return os.fstat(file.fileno()).st_size, file.read(_SNIFFED)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); name a file of text, or a folder of such"
        raise OptionError(option, str(path), reason) from error


class _Search:
    def __init__(self, root: Path, pattern: str) -> None:
        self.root, self.pattern = root, pattern
        self.passed_over: Counter[str] = Counter()
        self.damage: list[Damage] = []
        self.seen: set[tuple[int, int]] = set()
        self.count = self.marked = 0

    def texts(self) -> Texts:
        folders = self._split_folders()
        splits = {}
        for name, folder in folders.items():
            splits[name] = [piece for path in self._files(folder) if (piece := self._piece(path))]
        if self.damage:
            self._refuse()
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.passed_over.items()))
        reason = f"holds no text (passed over: {kinds or 'nothing'}); name a file or a folder of files"
        for name, pieces in splits.items():
            require(bool(pieces), "root", str(folders[name]), reason)
        return Texts(splits, self.passed_over, self.marked)

    def _split_folders(self) -> dict[str, Path]:
        """Folders of splits where one is called as the training split; else the root as that."""
        named: dict[str, list[Path]] = {}
        others = 0
        for entry in self._listed(self.root):
            split = split_of(entry.name) if _is_folder(entry) else None
            others += split is None and not entry.name.startswith(".")
            if split is not None:
                named.setdefault(split, []).append(Path(entry.path))
        if "train" not in named:
            return {"train": self.root}
        for split, paths in named.items():
            both = " and ".join(path.name for path in paths)
            reason = f"holds {both}, all for the split {split}; keep one of them"
            require(len(paths) == 1, "root", str(self.root), reason)
        if others:
            self.passed_over["beside the folders of splits"] += others
        return {name: named[name][0] for name in ("train", "val", "test") if name in named}

    def _files(self, folder: Path) -> Iterator[Path]:
        """All files at any depth, by name; what is reached twice, by links or a circle of them, once."""
        open_folders = [self._listed(folder)] if self._is_new(folder) else []
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
            elif entry.name.startswith("."):
                self.passed_over["hidden"] += 1
            elif _is_folder(entry):
                if self._is_new(Path(entry.path)):
                    open_folders.append(self._listed(Path(entry.path)))
                else:
                    self.passed_over["reached twice"] += 1
            elif not fnmatchcase(entry.name, self.pattern):
                self.passed_over[f"not named {self.pattern}"] += 1
            else:
                yield Path(entry.path)

    def _listed(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return iter(sorted(entries, key=lambda entry: entry.name))
        except OSError as error:
            self._spoilt(folder, error.strerror or str(error))
            return iter(())

    def _is_new(self, path: Path) -> bool:
        try:
            there = path.stat()
        except OSError:
            return True  # the one who opens it says why
        identity = there.st_dev, there.st_ino
        is_new = identity not in self.seen
        self.seen.add(identity)
        return is_new

    def _piece(self, path: Path) -> Piece | None:
        """The whole file; None where it is passed over or cannot be read."""
        if not path.is_file():
            kind = "pipe or device" if path.exists() else "broken link"
            if self.pattern == EVERY:
                self.passed_over[f"{kind}s"] += 1
            else:
                self._spoilt(path, f"a {kind}")
            return None
        if not self._is_new(path):
            self.passed_over["reached twice"] += 1
            return None
        self.count += 1
        try:
            size, head = _opened(path, "root")
        except OptionError as error:
            self._spoilt(path, error.reason.partition(" (")[2].partition(");")[0])
            return None
        if size == 0:
            self.passed_over["empty"] += 1
            return None
        if self.pattern == EVERY and b"\0" in head:
            self.passed_over["binary"] += 1
            return None
        self.marked += head.startswith(_MARKS)
        return Piece(path, 0, size)

    def _spoilt(self, path: Path, reason: str) -> None:
        self.damage.append(Damage(len(self.damage), str(path.relative_to(self.root)), reason))

    def _refuse(self) -> None:
        many = len(self.damage)
        told = f"{many:,} of its files cannot be read" if many > 1 else "one of its files cannot be read"
        how = "mend or remove them, or data.pattern='*.txt' takes files of a name alone"
        raise OptionError("root", str(self.root), f"{told}: {describe(self.damage)}; {how}")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link to itself is none."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()

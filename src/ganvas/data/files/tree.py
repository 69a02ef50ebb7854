"""What a user's folder of files holds: which files, classes and splits, and what is left out.

A folder that can be read in two ways is refused; the reader chooses by a layout.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple, NoReturn

from ganvas.data.files.split_names import split_of
from ganvas.errors import OptionError, require

LAYOUTS = ("auto", "flat", "classes", "splits")
_MOST_WAYS = 64  # to one folder, by links; each may double those of the folders below
_NO_FILE = "broken link or pipe"
_PLURAL = {_NO_FILE: "broken links or pipes", "folder": "folders"}


class FileKind(NamedTuple):
    """Files of samples, by the words in which they are spoken of.

    Attributes:
        one, plural: e.g. ``an image``, ``images``.
        readable: suffixes of what can be read on this machine.
        remedy: what makes a file of a suffix readable; None for what is of another kind.
    """

    one: str
    plural: str
    readable: Callable[[], Collection[str]]
    remedy: Callable[[str], str | None]

    @property
    def name(self) -> str:
        return self.one.partition(" ")[2]


@dataclass
class Listing:
    """Files in sorted order.

    Attributes:
        paths: the files.
        classes: the class of each, or None without classes.
    """

    paths: list[Path]
    classes: list[str] | None


@dataclass
class Tree:
    """A folder of files as it is read.

    Attributes:
        splits: ``train``, and ``val`` and ``test`` where they have folders of their own.
        passed_over: kind of file or folder -> how many were left out.
    """

    splits: dict[str, Listing]
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def classes(self) -> list[str] | None:
        """Names of all classes, sorted: a class is numbered by its place, whatever is held out of it."""
        named = [one.classes for one in self.splits.values() if one.classes is not None]
        return sorted({name for classes in named for name in classes}) if named else None


def read_tree(root: Path, layout: str, kind: FileKind, *, skip: bool = False) -> Tree:
    """Lists a folder, before anything is decoded.

    Args:
        layout: ``auto`` takes the only reading there is; ``flat`` all files at any depth, without classes;
            ``classes`` each subfolder as a class; ``splits`` the folders train, val and test.
        kind: of the files that are taken.
        skip: whether a broken link or a pipe that is named as such a file is passed over.

    Raises:
        OptionError: ``root`` or ``layout``: no files, two readings, or parts that do not fit each other.
    """
    walk = _Walk(kind, skip=skip)
    files = walk.files_below(root)
    reason = f"holds no {kind.plural}; {kind.one} is named {', '.join(sorted(kind.readable()))}"
    there = f" (there are: {describe(walk.passed_over, kind)})" if walk.passed_over else ""
    require(bool(files), "root", str(root), reason + there)
    if layout == "flat":
        return Tree({"train": Listing(files, None)}, walk.passed_over)
    direct, folders = _by_folder(root, files)
    splits = {name: split for name in folders if (split := split_of(name)) is not None}
    if layout == "auto":
        _require_one_reading(root, len(direct), folders, splits, kind)
        layout = "splits" if "train" in splits.values() else "classes"
        if layout == "classes":
            return Tree({"train": _listing(root, files, kind)}, walk.passed_over)
    beside = f"{kind.plural} beside what is taken"  # of a layout that was chosen
    if layout == "classes":
        reason = f"{root} holds no folders with {kind.plural}; data.layout=flat"
        require(bool(folders), "layout", layout, reason)
        walk.passed_over[beside] += len(direct)
        inside = [path for paths in folders.values() for path in paths]
        return Tree({"train": _listing(root, inside, kind)}, walk.passed_over)
    left_out = [direct, *(paths for name, paths in folders.items() if name not in splits)]
    walk.passed_over[beside] += sum(map(len, left_out))
    return Tree(_read_splits(root, folders, splits, kind), walk.passed_over)


def _read_splits(
    root: Path, folders: dict[str, list[Path]], splits: dict[str, str], kind: FileKind
) -> dict[str, Listing]:
    reason = f"{root} holds no folder train with {kind.plural}"
    require("train" in splits.values(), "layout", "splits", reason)
    listed = {}
    for folder in sorted(root.iterdir()):
        split = split_of(folder.name)
        if split is None or not folder.is_dir():
            continue
        several = [name for name, other in splits.items() if other == split]
        reason = f"holds {' and '.join(several)}, all for the split {split}; keep one of them"
        require(len(several) < 2, "root", str(root), reason)
        reason = f"holds no {kind.plural}; put some there, or remove it"
        require(folder.name in folders, "root", str(folder), reason)
        listed[split] = _listing(folder, folders[folder.name], kind)
    for name, split in splits.items():
        _require_same_classes(listed[split], train=listed["train"], folder=root / name)
    return listed


def _by_folder(root: Path, files: list[Path]) -> tuple[list[Path], dict[str, list[Path]]]:
    """The files directly in a folder, and those of each of its subfolders, at any depth."""
    direct: list[Path] = []
    folders: dict[str, list[Path]] = {}
    depth = len(root.parts)
    for path in files:
        first, *rest = path.parts[depth:]
        (folders.setdefault(first, []) if rest else direct).append(path)
    return direct, folders


def _listing(folder: Path, files: list[Path], kind: FileKind) -> Listing:
    """A folder of files, or of a subfolder for each class.

    A class in two spellings of Unicode (NFC, as Linux writes names, and macOS' NFD) is one.
    """
    direct, folders = _by_folder(folder, files)
    if direct and folders:
        names = _some([unicodedata.normalize("NFC", name) for name in folders])
        reason = (
            f"holds both {kind.plural} and class folders ({names}); keep one or the other, or take all "
            f"{kind.plural} without classes by data.layout=flat"
        )
        raise OptionError("root", str(folder), reason)
    if direct:
        return Listing(direct, None)
    named = [(unicodedata.normalize("NFC", name), path) for name, paths in folders.items() for path in paths]
    named.sort(key=lambda one: one[0])  # stable: files stay in their order
    return Listing([path for _, path in named], [name for name, _ in named])


class _Folder(NamedTuple):
    """A folder that is being walked; how many files and empty folders there were before it."""

    path: Path
    identity: tuple[int, int]
    entries: Iterator[os.DirEntry[str]]
    found_before: int = 0
    empty_before: int = 0


class _Walk:
    """Walks a folder, and counts what it passes over."""

    def __init__(self, kind: FileKind, *, skip: bool) -> None:
        self.kind, self.skip, self.suffixes = kind, skip, frozenset(kind.readable())
        self.empty = f"folder without {kind.plural}"
        self.passed_over: Counter[str] = Counter()

    def files_below(self, root: Path) -> list[Path]:
        """All files of the kind at any depth: a folder's own and those of its subfolders, by name.

        Sorted by name, so that order and labels are the same on every file system. Without recursion, since
        folders may lie deeper in each other than Python calls.

        Raises:
            OptionError: ``root``: a link to a folder above itself, or links that lead to one folder on
                more ways than one can mean.
        """
        found: list[Path] = []
        times: Counter[tuple[int, int]] = Counter()
        open_folders = [_Folder(root, _identity(root), _listed(root))]
        above = {open_folders[0].identity}
        while open_folders:
            folder = open_folders[-1]
            entry = next(folder.entries, None)
            if entry is None:
                open_folders.pop()
                above.discard(folder.identity)
                if open_folders and len(found) == folder.found_before:
                    self.passed_over[self.empty] = folder.empty_before + 1  # once, whatever is empty in it
            elif entry.name.startswith("."):
                self.passed_over["hidden"] += 1
            elif _is(entry, "dir"):
                path = Path(entry.path)
                here = _identity(path)
                reason = "is a link to a folder that holds it; remove the link"
                require(here not in above, "root", str(path), reason)
                times[here] += 1
                reason = f"is reached by more than {_MOST_WAYS} links; remove them"
                require(times[here] <= _MOST_WAYS, "root", str(path), reason)
                above.add(here)
                empty = self.passed_over[self.empty]
                open_folders.append(_Folder(path, here, _listed(path), len(found), empty))
            elif self._is_taken(entry):
                found.append(Path(entry.path))
        return found

    def _is_taken(self, entry: os.DirEntry[str]) -> bool:
        """Whether a file is named as one of the kind; a pipe, a device or a broken link is none."""
        suffix = PurePath(entry.name).suffix.lower()
        if suffix not in self.suffixes:
            self.passed_over[suffix or "without a suffix"] += 1
            return False
        if _is(entry, "file"):
            return True
        # A pipe would be waited for, and a broken link passed over in silence.
        if self.skip:
            self.passed_over[_NO_FILE] += 1
            return False
        is_there = os.path.exists(entry.path)
        reason = "is a pipe or a device and no file" if is_there else "is a broken link"
        raise OptionError("root", entry.path, f"{reason}; remove it, or data.on_damaged=skip leaves it out")


def describe(passed_over: Counter[str], kind: FileKind) -> str:
    """``2 .heic (needs pip install pillow-heif), 1 .txt``."""
    said = []
    plural = {**_PLURAL, f"folder without {kind.plural}": f"folders without {kind.plural}"}
    for what, count in sorted(passed_over.items(), key=lambda one: (-one[1], one[0])):
        how = None if what in kind.readable() else kind.remedy(what)
        if count:
            named = plural.get(what, what) if count > 1 else what
            said.append(f"{count:,} {named}" + (f" (needs {how})" if how else ""))
    return ", ".join(said)


def _require_one_reading(
    root: Path, direct: int, folders: dict[str, list[Path]], splits: dict[str, str], kind: FileKind
) -> None:
    """Raises OptionError where a folder could be one of splits as well as one of classes."""

    def refuse(reason: str) -> NoReturn:
        raise OptionError("root", str(root), reason)

    files = kind.plural
    named, others = ", ".join(splits), _some([name for name in folders if name not in splits])
    if "train" in splits.values() and others:
        refuse(
            f"holds {named} beside {others}: either these are splits and the {files} in {others} are left "
            f"out (data.layout=splits), or all of them are classes (data.layout=classes)"
        )
    if "train" in splits.values() and direct:
        refuse(
            f"holds {direct} {files} beside {named}: either these are splits and the {files} beside them are "
            f"left out (data.layout=splits), or all are one set without classes (data.layout=flat)"
        )
    if splits and "train" not in splits.values() and not direct:
        refuse(
            f"holds {named}, named as a split, and no folder train with {files}: either they are classes "
            f"(data.layout=classes), or the folder of the training {files} is to be called train"
        )
    for name, paths in folders.items() if not splits and not direct else ():
        inside = [folder for folder in _by_folder(root / name, paths)[1] if split_of(folder) is not None]
        if inside:
            refuse(
                f"holds {name}, which holds {', '.join(inside)}: either {name} is a class with all {files} "
                f"below it (data.layout=classes), or these are splits (data.root={root / name}, or folders "
                f"train, val and test with a folder for each class in them)"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _listed(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return iter(sorted(entries, key=lambda entry: entry.name))


def _is(entry: os.DirEntry[str], kind: str) -> bool:
    """Whether this is a ``dir`` or a ``file``, or a link to one; a link to itself is neither.

    Of what is no link the folder says it, and nothing is asked for each of a million files.
    """
    if entry.is_symlink():
        return os.path.isdir(entry.path) if kind == "dir" else os.path.isfile(entry.path)
    return entry.is_dir() if kind == "dir" else entry.is_file()


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _require_same_classes(listed: Listing, *, train: Listing, folder: Path) -> None:
    unknown = sorted(set(listed.classes or [""]) - set(train.classes or [""]))
    require(
        not unknown,
        "root",
        str(folder),
        f"has other classes than the training folder ({', '.join(unknown) or 'none'}); give both the same",
    )

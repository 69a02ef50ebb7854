"""What a user's folder of images holds: which files, classes and splits, and what is left out.

A folder that can be read in two ways is refused; the reader chooses by a layout.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

from ganvas.data.files.formats import KNOWN, readable, remedy
from ganvas.data.files.split_names import split_of
from ganvas.errors import OptionError, require

LAYOUTS = ("auto", "flat", "classes", "splits")
_MOST_WAYS = 64  # to one folder, by links; each may double those of the folders below
_BESIDE = "images beside what is taken"  # of a layout that was chosen
_NO_FILE, _NO_IMAGES = "broken link or pipe", "folder without images"
_PLURAL = {_NO_FILE: "broken links or pipes", _NO_IMAGES: "folders without images", "folder": "folders"}


@dataclass
class Listing:
    """Images in sorted order.

    Attributes:
        paths: the files.
        classes: the class of each, or None without classes.
    """

    paths: list[Path]
    classes: list[str] | None


@dataclass
class ImageTree:
    """A folder of images as it is read.

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


def read_tree(root: Path, layout: str, *, skip: bool = False) -> ImageTree:
    """Lists a folder, before anything is decoded.

    Args:
        layout: ``auto`` takes the only reading there is; ``flat`` all images at any depth, without classes;
            ``classes`` each subfolder as a class; ``splits`` the folders train, val and test.
        skip: whether a broken link or a pipe that is named as an image is passed over.

    Raises:
        OptionError: ``root`` or ``layout``: no images, two readings, or parts that do not fit each other.
    """
    walk = _Walk(skip=skip)
    images = walk.images_below(root)
    reason = f"holds no images; an image is named {', '.join(sorted(readable()))}"
    there = f" (there are: {describe(walk.passed_over)})" if walk.passed_over else ""
    require(bool(images), "root", str(root), reason + there)
    if layout == "flat":
        return ImageTree({"train": Listing(images, None)}, walk.passed_over)
    direct, folders = _by_folder(root, images)
    splits = {name: split for name in folders if (split := split_of(name)) is not None}
    if layout == "auto":
        _require_one_reading(root, len(direct), folders, splits)
        layout = "splits" if "train" in splits.values() else "classes"
        if layout == "classes":
            return ImageTree({"train": _listing(root, images)}, walk.passed_over)
    if layout == "classes":
        require(bool(folders), "layout", layout, f"{root} holds no folders with images; data.layout=flat")
        walk.passed_over[_BESIDE] += len(direct)
        inside = [path for paths in folders.values() for path in paths]
        return ImageTree({"train": _listing(root, inside)}, walk.passed_over)
    left_out = [direct, *(paths for name, paths in folders.items() if name not in splits)]
    walk.passed_over[_BESIDE] += sum(map(len, left_out))
    return ImageTree(_read_splits(root, folders, splits), walk.passed_over)


def _read_splits(root: Path, folders: dict[str, list[Path]], splits: dict[str, str]) -> dict[str, Listing]:
    require("train" in splits.values(), "layout", "splits", f"{root} holds no folder train with images")
    listed = {}
    for folder in sorted(root.iterdir()):
        split = split_of(folder.name)
        if split is None or not folder.is_dir():
            continue
        several = [name for name, other in splits.items() if other == split]
        reason = f"holds {' and '.join(several)}, all for the split {split}; keep one of them"
        require(len(several) < 2, "root", str(root), reason)
        require(folder.name in folders, "root", str(folder), "holds no images; put some there, or remove it")
        listed[split] = _listing(folder, folders[folder.name])
    for name, split in splits.items():
        _require_same_classes(listed[split], train=listed["train"], folder=root / name)
    return listed


def _by_folder(root: Path, images: list[Path]) -> tuple[list[Path], dict[str, list[Path]]]:
    """The images directly in a folder, and those of each of its subfolders, at any depth."""
    direct: list[Path] = []
    folders: dict[str, list[Path]] = {}
    depth = len(root.parts)
    for path in images:
        first, *rest = path.parts[depth:]
        (folders.setdefault(first, []) if rest else direct).append(path)
    return direct, folders


def _listing(folder: Path, images: list[Path]) -> Listing:
    """A folder of images, or of a subfolder for each class.

    A class in two spellings of Unicode (NFC, as Linux writes names, and macOS' NFD) is one.
    """
    direct, folders = _by_folder(folder, images)
    if direct and folders:
        names = _some([unicodedata.normalize("NFC", name) for name in folders])
        reason = f"holds both images and class folders ({names}); keep one or the other, or take all images "
        raise OptionError("root", str(folder), f"{reason}without classes by data.layout=flat")
    if direct:
        return Listing(direct, None)
    named = [(unicodedata.normalize("NFC", name), path) for name, paths in folders.items() for path in paths]
    named.sort(key=lambda one: one[0])  # stable: files stay in their order
    return Listing([path for _, path in named], [name for name, _ in named])


class _Folder(NamedTuple):
    """A folder that is being walked; how many images and empty folders there were before it."""

    path: Path
    identity: tuple[int, int]
    entries: Iterator[Path]
    found_before: int = 0
    empty_before: int = 0


class _Walk:
    """Walks a folder, and counts what it passes over."""

    def __init__(self, *, skip: bool) -> None:
        self.skip = skip
        self.passed_over: Counter[str] = Counter()

    def images_below(self, root: Path) -> list[Path]:
        """All images at any depth: a folder's own and those of its subfolders, by name.

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
            path = next(folder.entries, None)
            if path is None:
                open_folders.pop()
                above.discard(folder.identity)
                if (
                    open_folders and len(found) == folder.found_before
                ):  # counted once, whatever is empty in it
                    self.passed_over[_NO_IMAGES] = folder.empty_before + 1
            elif path.name.startswith("."):
                self.passed_over["hidden"] += 1
            elif path.is_dir():
                here = _identity(path)
                reason = "is a link to a folder that holds it; remove the link"
                require(here not in above, "root", str(path), reason)
                times[here] += 1
                reason = f"is reached by more than {_MOST_WAYS} links; remove them"
                require(times[here] <= _MOST_WAYS, "root", str(path), reason)
                above.add(here)
                empty = self.passed_over[_NO_IMAGES]
                open_folders.append(_Folder(path, here, _listed(path), len(found), empty))
            elif self._is_image(path):
                found.append(path)
        return found

    def _is_image(self, path: Path) -> bool:
        """Whether a file is named as an image; a pipe, a device or a broken link of that name is none."""
        suffix = path.suffix.lower()
        if suffix not in readable():
            self.passed_over[suffix or "without a suffix"] += 1
            return False
        if path.is_file():
            return True
        # A pipe would be waited for, and a broken link passed over in silence.
        if self.skip:
            self.passed_over[_NO_FILE] += 1
            return False
        reason = "is a pipe or a device and no file" if path.exists() else "is a broken link"
        raise OptionError("root", str(path), f"{reason}; remove it, or data.on_damaged=skip leaves it out")


def describe(passed_over: Counter[str]) -> str:
    """``2 .heic (pip install pillow-heif reads them), 1 .txt``."""
    said = []
    for kind, count in sorted(passed_over.items(), key=lambda one: (-one[1], one[0])):
        how = remedy(kind) if kind in KNOWN and kind not in readable() else None
        if count:
            named = _PLURAL.get(kind, kind) if count > 1 else kind
            said.append(f"{count:,} {named}" + (f" (needs {how})" if how else ""))
    return ", ".join(said)


def _require_one_reading(
    root: Path, direct: int, folders: dict[str, list[Path]], splits: dict[str, str]
) -> None:
    """Raises OptionError where a folder could be one of splits as well as one of classes."""

    def refuse(reason: str) -> NoReturn:
        raise OptionError("root", str(root), reason)

    named, others = ", ".join(splits), _some([name for name in folders if name not in splits])
    if "train" in splits.values() and others:
        refuse(
            f"holds {named} beside {others}: either these are splits and the images in {others} are left out "
            f"(data.layout=splits), or all of them are classes (data.layout=classes)"
        )
    if "train" in splits.values() and direct:
        refuse(
            f"holds {direct} images beside {named}: either these are splits and the images beside them are "
            f"left out (data.layout=splits), or all are one set without classes (data.layout=flat)"
        )
    if splits and "train" not in splits.values() and not direct:
        refuse(
            f"holds {named}, named as a split, and no folder train with images: either they are classes "
            f"(data.layout=classes), or the folder of the training images is to be called train"
        )
    for name, images in folders.items() if not splits and not direct else ():
        inside = [folder for folder in _by_folder(root / name, images)[1] if split_of(folder) is not None]
        if inside:
            refuse(
                f"holds {name}, which holds {', '.join(inside)}: either {name} is a class with all images "
                f"below it (data.layout=classes), or these are splits (data.root={root / name}, or folders "
                f"train, val and test with a folder for each class in them)"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _listed(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.iterdir()))


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

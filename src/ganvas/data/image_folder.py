"""A folder of images of the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from ganvas.data.datamodule import SPLITS
from ganvas.data.files.decode import SUFFIXES
from ganvas.data.files.image_cache import cached_images
from ganvas.data.kinds.own_images import OwnImages
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError, require

_SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


class _Listed(NamedTuple):
    """Images of one split, in sorted order, and the class folder of each (None without classes)."""

    paths: list[Path]
    classes: list[str] | None


@dataclass(kw_only=True, eq=False, repr=False)
class ImageFolder(OwnImages):
    """Images of any mode and size, decoded once into a cache of squares.

    ``root`` holds images, or a subfolder of images for each class; or it holds a folder ``train``, and
    ``val`` and ``test`` if wanted, each of them such a folder. A split that has no folder is held out of the
    training images, the same for every seed. Hidden files and files that are not named as images are
    passed over; how a file becomes a square is said in :func:`ganvas.data.files.decode.decode`.

    Args:
        root: the folder.
        cache_dir: folder of the decoded images; None takes one beside ``root``, or the user's cache folder.
        num_classes: None takes the class folders that are there.

    The others: see :class:`ganvas.data.kinds.own_images.OwnImages`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.class_names: list[str] | None = None

    def count_classes(self, splits: dict[str, Stored]) -> int | None:
        return None if self.class_names is None else len(self.class_names)

    def load(self) -> dict[str, Stored]:
        root = self._root()
        try:
            listed = self._list(root)
            names = listed["train"].classes
            self.class_names = None if names is None else sorted(set(names))
            # Before anything is decoded: that takes long, and leaves a cache.
            self.check_counts(self.count_classes({}), len(listed["train"].paths))
            paths = [path for name in SPLITS for path in listed[name].paths]
            x = cached_images(
                paths, root=root, channels=self.channels, image_size=self.image_size, cache_dir=self.cache_dir
            )
        except OSError as error:
            raise OptionError(
                "root", str(root), f"cannot be read ({error}); allow that, or name another"
            ) from error
        splits, start = {}, 0
        for name in SPLITS:
            count = len(listed[name].paths)
            splits[name] = Stored(x[start : start + count], self._labels(listed[name].classes))
            start += count
        return splits

    def _root(self) -> Path:
        require(self.root is not None, "root", "null", "name a folder of images; data.root=/path")
        root = Path(str(self.root)).expanduser()
        # os.path and not Path: a name that is too long is an error to the second.
        require(os.path.exists(root), "root", self.root, "does not exist; name a folder of images")
        require(root.is_dir(), "root", self.root, "is a file; name a folder of images")
        return root

    def _list(self, root: Path) -> dict[str, _Listed]:
        """What each split holds, before anything is decoded."""
        folders = {
            name: next((root / folder for folder in names if (root / folder).is_dir()), None)
            for name, names in _SPLIT_FOLDERS.items()
        }
        train = _list_folder(folders["train"] or root)
        if folders["train"] is None:
            folders = dict.fromkeys(SPLITS)
        given = [name for name, folder in folders.items() if folder is not None]
        rows = self._hold_out(len(train.paths), given=given, purpose="image_folder")
        listed = {name: _take(train, numbers) for name, numbers in rows.items()}
        for name in ("val", "test"):
            folder = folders[name]
            if folder is not None:
                listed[name] = _list_folder(folder)
                _require_same_classes(listed[name], train=train, folder=folder)
        return listed

    def _labels(self, classes: list[str] | None) -> torch.Tensor | None:
        if classes is None or self.class_names is None:
            return None
        number = {name: index for index, name in enumerate(self.class_names)}
        return torch.tensor([number[name] for name in classes], dtype=torch.int64)


def _list_folder(folder: Path) -> _Listed:
    direct = [path for path in _visible(folder) if _is_image(path)]
    above = frozenset({_identity(folder)})
    inside = {child.name: _images_below(child, above) for child in _visible(folder) if child.is_dir()}
    by_class = {name: paths for name, paths in inside.items() if paths}
    if direct and by_class:
        reason = f"holds both images and class folders ({', '.join(by_class)}); keep one or the other"
        raise OptionError("root", str(folder), reason)
    if direct:
        return _Listed(direct, None)
    if by_class:
        classes = [name for name, paths in by_class.items() for _ in paths]
        return _Listed([path for paths in by_class.values() for path in paths], classes)
    reason = f"holds no images; an image is named {', '.join(sorted(SUFFIXES))}"
    raise OptionError("root", str(folder), reason)


def _visible(folder: Path) -> list[Path]:
    """Sorted by name, so that order and labels are the same on every file system."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _images_below(folder: Path, above: frozenset[tuple[int, int]]) -> list[Path]:
    here = _identity(folder)
    require(here not in above, "root", str(folder), "is a link to a folder that holds it; remove the link")
    found = []
    for path in _visible(folder):
        if path.is_dir():
            found += _images_below(path, above | {here})
        elif _is_image(path):
            found.append(path)
    return found


def _is_image(path: Path) -> bool:
    """Whether a file is named as an image; a pipe, a device or a broken link of that name is refused."""
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        return False
    # A pipe would be waited for, and a broken link passed over in silence.
    broken = path.is_symlink() and not path.exists()
    reason = "is a broken link" if broken else "is a pipe or a device and no file"
    require(path.is_file(), "root", str(path), f"{reason}; remove it")
    return True


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _take(listed: _Listed, rows: torch.Tensor) -> _Listed:
    numbers = rows.tolist()
    classes = None if listed.classes is None else [listed.classes[number] for number in numbers]
    return _Listed([listed.paths[number] for number in numbers], classes)


def _require_same_classes(listed: _Listed, *, train: _Listed, folder: Path) -> None:
    unknown = sorted(set(listed.classes or [""]) - set(train.classes or [""]))
    require(
        not unknown,
        "root",
        str(folder),
        f"has other classes than the training folder ({', '.join(unknown) or 'none'}); give both the same",
    )

"""A folder of images of the user's own."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganvas.data.datamodule import SPLITS
from ganvas.data.files.damaged import describe as describe_damage
from ganvas.data.files.image_cache import CachedImages, cached_images
from ganvas.data.files.image_tree import LAYOUTS, ImageTree, describe, read_tree
from ganvas.data.kinds.own_images import OwnImages
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded


@dataclass(kw_only=True, eq=False, repr=False)
class ImageFolder(OwnImages):
    """Images of any mode and size, decoded once into a cache of squares.

    ``root`` holds images, or a subfolder of images for each class; or it holds a folder ``train``, and
    ``val`` and ``test`` if wanted (also ``training``, ``valid``, ``validation``, ``testing``, in letters of
    any case), each of them such a folder. A split that has no folder is held out of the training images, the
    same for every seed, of each class its share where it has enough. Hidden files and files that are not
    named as images are passed over, and said; how a file becomes a square is said in
    :class:`ganvas.data.files.decode.Decoding`.

    Args:
        root: the folder.
        layout: ``auto`` refuses a folder that can be read in two ways; ``flat`` takes all images at any depth
            and no classes, ``classes`` each subfolder as a class, ``splits`` the folders of splits alone.
        cache_dir: folder of the decoded images; None takes one beside ``root``, or the user's cache folder.
        num_classes: None takes the class folders that are there.

    The others: see :class:`ganvas.data.kinds.own_images.OwnImages`.
    """

    layout: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.layout in LAYOUTS, "layout", self.layout, f"must be one of {', '.join(LAYOUTS)}")

    def count_classes(self, splits: dict[str, Stored]) -> int | None:
        return None if self.class_names is None else len(self.class_names)

    def load(self) -> dict[str, Stored]:
        root = self._root()
        try:
            tree = read_tree(root, self.layout, skip=self.on_damaged == "skip")
            self.class_names = tree.classes
            paths, labels, places = self._splits_of(tree)
            self._say_what_is_there(tree, paths, places)
            # Before anything is decoded: that takes long, and leaves a cache.
            self.check_counts(self.count_classes({}), len(places["train"]))
            cached = cached_images(
                paths, root=root, how=self._how(), on_damaged=self.on_damaged, cache_dir=self.cache_dir
            )
        except OSError as error:
            raise OptionError(
                "root", str(root), f"cannot be read ({error}); allow that, or name another"
            ) from error
        self._say_what_was_read(cached, len(paths))
        return self._stored(cached, labels, places)

    def _root(self) -> Path:
        require(self.root is not None, "root", "null", "name a folder of images; data.root=/path")
        root = expanded(str(self.root), "root")
        # os.path and not Path: a name that is too long is an error to the second.
        require(os.path.exists(root), "root", self.root, "does not exist; name a folder of images")
        require(root.is_dir(), "root", self.root, "is a file; name a folder of images")
        return root

    def _splits_of(self, tree: ImageTree) -> tuple[list[Path], Tensor | None, dict[str, range]]:
        """All images, split by split, the class of each (int64 or None), and where each split lies."""
        train = tree.splits["train"]
        held_out = self._hold_out(
            len(train.paths), given=tree.splits, purpose="image_folder", label=self._labels(train.classes)
        )
        paths: list[Path] = []
        classes: list[str] = []
        places = {}
        for name in SPLITS:
            listed = train if name in held_out else tree.splits[name]
            rows = held_out[name].tolist() if name in held_out else range(len(listed.paths))
            places[name] = range(len(paths), len(paths) + len(rows))
            paths += [listed.paths[row] for row in rows]
            classes += [listed.classes[row] for row in rows] if listed.classes is not None else []
        return paths, self._labels(classes or None), places

    def _labels(self, classes: list[str] | None) -> Tensor | None:
        if classes is None or self.class_names is None:
            return None
        number = {name: index for index, name in enumerate(self.class_names)}
        return torch.tensor([number[name] for name in classes], dtype=torch.int64)

    def _stored(
        self, cached: CachedImages, labels: Tensor | None, places: dict[str, range]
    ) -> dict[str, Stored]:
        splits = {}
        for name, place in places.items():
            ends = torch.searchsorted(cached.rows, torch.tensor([place.start, place.stop]))
            inside = slice(int(ends[0]), int(ends[1]))
            label = None if labels is None else labels[cached.rows[inside]]
            splits[name] = Stored(cached.x[inside], label)
        return splits

    def _say_what_is_there(self, tree: ImageTree, paths: list[Path], places: dict[str, range]) -> None:
        kinds = Counter(path.suffix.lower() for path in paths)
        classes = "no classes" if self.class_names is None else f"{len(self.class_names):,} classes"
        counts = [
            f"{name} {len(place):,}" + ("" if name in tree.splits or not place else " (held out)")
            for name, place in places.items()
        ]
        passed_over = describe(tree.passed_over) or "nothing"
        self.note(
            f"{self.root}: {len(paths):,} images ({describe(kinds)}), {classes}; {', '.join(counts)}; "
            f"passed over: {passed_over}"
        )

    def _say_what_was_read(self, cached: CachedImages, count: int) -> None:
        for reason in cached.not_believed:
            self.note(f"{self.root}: {reason}; it is not used")
        done = "decoded once into" if cached.is_new else "read decoded from"
        self.note(f"{self.root}: {done} {cached.folder} (data.cache_dir)")
        if cached.damage:
            told = f"{len(cached.damage):,} of {count:,} images cannot be read and are left out"
            self.note(f"{self.root}: {told}: {describe_damage(cached.damage)}")

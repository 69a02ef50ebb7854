"""The base of a folder of the user's own files: flat, a subfolder for each class, or folders of splits."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ganvas.data.datamodule import SPLITS
from ganvas.data.files.array_cache import CachedArray
from ganvas.data.files.damaged import describe as describe_damage
from ganvas.data.files.tree import LAYOUTS, FileKind, Tree, describe, read_tree
from ganvas.data.kinds.own_files import OwnFiles
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded


@dataclass(kw_only=True, eq=False, repr=False)
class OwnFolder(OwnFiles):
    """``root`` holds files of one kind, or a subfolder of them for each class; or it holds a folder
    ``train``, and ``val`` and ``test`` if wanted (also ``training``, ``valid``, ``validation``, ``testing``,
    in letters of any case), each of them such a folder. A split that has no folder is held out of the
    training files, the same for every seed, of each class its share where it has enough. Hidden files and
    files that are not named as of the kind are passed over, and said.

    Args:
        root: the folder.
        layout: ``auto`` refuses a folder that can be read in two ways; ``flat`` takes all files at any depth
            and no classes, ``classes`` each subfolder as a class, ``splits`` the folders of splits alone.
        cache_dir: folder of what is decoded; None takes one beside ``root``, or the user's cache folder.
        num_classes: None takes the class folders that are there.

    The others: see :class:`ganvas.data.kinds.own_files.OwnFiles`.
    """

    file_kind: ClassVar[FileKind]
    layout: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.layout in LAYOUTS, "layout", self.layout, f"must be one of {', '.join(LAYOUTS)}")

    @abstractmethod
    def _decoded(self, paths: Sequence[Path], root: Path) -> CachedArray:
        """The files, decoded now or before."""

    @abstractmethod
    def _stored(
        self, cached: CachedArray, labels: Tensor | None, places: dict[str, range]
    ) -> dict[str, Stored]:
        """The splits; ``labels`` of all files, and where each split lies among them."""

    def count_classes(self, splits: dict[str, Stored]) -> int | None:
        return None if self.class_names is None else len(self.class_names)

    def load(self) -> dict[str, Stored]:
        root = self._root()
        try:
            tree = read_tree(root, self.layout, self.file_kind, skip=self.on_damaged == "skip")
            self.class_names = tree.classes
            paths, labels, places = self._splits_of(tree)
            self._say_what_is_there(tree, paths, places)
            self._check_files(len(places["train"]))
            cached = self._decoded(paths, root)
        except OSError as error:
            raise OptionError(
                "root", str(root), f"cannot be read ({error}); allow that, or name another"
            ) from error
        self._say_what_was_read(cached, len(paths))
        return self._stored(cached, labels, places)

    def _check_files(self, train_count: int) -> None:
        """Refuses what the number of files shows: before anything is decoded, which takes long."""

    def _root(self) -> Path:
        plural = self.file_kind.plural
        require(self.root is not None, "root", "null", f"name a folder of {plural}; data.root=/path")
        root = expanded(str(self.root), "root")
        # os.path and not Path: a name that is too long is an error to the second.
        require(os.path.exists(root), "root", self.root, f"does not exist; name a folder of {plural}")
        require(root.is_dir(), "root", self.root, f"is a file; name a folder of {plural}")
        return root

    def _splits_of(self, tree: Tree) -> tuple[list[Path], Tensor | None, dict[str, range]]:
        """All files, split by split, the class of each (int64 or None), and where each split lies."""
        train = tree.splits["train"]
        purpose = type(self).__module__.rpartition(".")[2]
        label = self._labels(train.classes)
        held_out = self._hold_out(len(train.paths), given=tree.splits, purpose=purpose, label=label)
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

    def _say_what_is_there(self, tree: Tree, paths: list[Path], places: dict[str, range]) -> None:
        kinds = Counter(path.suffix.lower() for path in paths)
        classes = "no classes" if self.class_names is None else f"{len(self.class_names):,} classes"
        counts = [
            f"{name} {len(place):,}" + ("" if name in tree.splits or not place else " (held out)")
            for name, place in places.items()
        ]
        passed_over = describe(tree.passed_over, self.file_kind) or "nothing"
        self.note(
            f"{self.root}: {len(paths):,} {self.file_kind.plural} ({describe(kinds, self.file_kind)}), "
            f"{classes}; {', '.join(counts)}; passed over: {passed_over}"
        )

    def _say_what_was_read(self, cached: CachedArray, count: int) -> None:
        for reason in cached.not_believed:
            self.note(f"{self.root}: {reason}; it is not used")
        done = "decoded once into" if cached.is_new else "read decoded from"
        self.note(f"{self.root}: {done} {cached.folder} (data.cache_dir)")
        if cached.damage:
            told = (
                f"{len(cached.damage):,} of {count:,} {self.file_kind.plural} cannot be read and are left out"
            )
            self.note(f"{self.root}: {told}: {describe_damage(cached.damage)}")


def inside(files: Tensor, place: range) -> slice:
    """Which of the files that could be read, sorted int64 [F], lie in a split."""
    ends = torch.searchsorted(files, torch.tensor([place.start, place.stop]))
    return slice(int(ends[0]), int(ends[1]))

"""A folder of images of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ganvas.data.files.array_cache import CachedArray
from ganvas.data.files.formats import IMAGES
from ganvas.data.files.image_cache import cached_images
from ganvas.data.kinds.own_folder import OwnFolder, inside
from ganvas.data.kinds.own_images import OwnImages
from ganvas.data.loading.stored import Stored


# OwnImages first: of a field that both have, the first one's default counts.
@dataclass(kw_only=True, eq=False, repr=False)
class ImageFolder(OwnImages, OwnFolder):
    """Images of any mode and size, decoded once into a cache of squares.

    How the folder is read is said in :class:`ganvas.data.kinds.own_folder.OwnFolder`, how a file becomes a
    square in :class:`ganvas.data.files.decode.Decoding`.

    Args: see :class:`ganvas.data.kinds.own_folder.OwnFolder`
        and :class:`ganvas.data.kinds.own_images.OwnImages`.
    """

    file_kind = IMAGES

    def _check_files(self, train_count: int) -> None:
        self.check_counts(self.count_classes({}), train_count)

    def _decoded(self, paths: Sequence[Path], root: Path) -> CachedArray:
        return cached_images(
            paths, root=root, how=self._how(), on_damaged=self.on_damaged, cache_dir=self.cache_dir
        )

    def _stored(
        self, cached: CachedArray, labels: Tensor | None, places: dict[str, range]
    ) -> dict[str, Stored]:
        splits = {}
        for name, place in places.items():
            there = inside(cached.files, place)
            label = None if labels is None else labels[cached.files[there]]
            splits[name] = Stored(cached.x[there], label)
        return splits

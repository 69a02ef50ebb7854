"""Documents cut into windows of one length, and random crops of them that need no more memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ganvas.data.loading.loader import Order, Position, Rows, TensorLoader, from_the_start
from ganvas.data.loading.stored import Stored
from ganvas.functional.batch import StoredBatch
from ganvas.functional.random import hash_index


def num_windows(length: int, size: int) -> int:
    """Windows that tile a document of ``length`` symbols; none where it is shorter than one."""
    return -(-length // size) if length >= size else 0


class Windows:
    """Windows [N, T] that tile documents, one after another; a document's last one ends where it ends.

    So that one overlaps the one before it, where T does not divide the document. All symbols of the documents
    are there, and crops at any place are gathered from the windows.

    Args:
        lengths: symbols of each document, each at least ``size``.
        size: T.
        dtype: of a symbol.
    """

    def __init__(self, lengths: Sequence[int], size: int, dtype: torch.dtype) -> None:
        self.size = size
        self.lengths = torch.tensor(list(lengths), dtype=torch.int64)  # [D]
        counts = -(-self.lengths // size)
        self.first = counts.cumsum(0) - counts  # [D], each document's first window
        self.x = torch.empty((int(counts.sum()), size), dtype=dtype)

    def room(self, number: int) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
        """Where the symbols of a document are to be written, in order; then comes :meth:`close`."""
        start = int(self.first[number]) * self.size
        flat: np.ndarray[tuple[int], np.dtype[np.generic]] = self.x.view(-1).numpy()
        return flat[start : start + int(self.lengths[number])]

    def close(self, number: int) -> None:
        """Makes the last window of a document that was written the last T symbols of it."""
        length, start = int(self.lengths[number]), int(self.first[number]) * self.size
        flat, whole = self.x.view(-1), length // self.size * self.size
        if whole < length:
            flat[start + whole : start + whole + self.size] = flat[
                start + length - self.size : start + length
            ].clone()

    def starts(self, row: Tensor, seed: int, epoch: int) -> Tensor:
        """Where in its window's document the crop of each row begins, int64 [B]; any place is as likely.

        A function of (seed, epoch, row). A document has as many crops an epoch as windows.
        """
        free = self.lengths[self._document(row)] - self.size + 1
        return hash_index(row, "crop", seed, epoch) % free

    def crops(self, row: Tensor, start: Tensor) -> Tensor:
        """The symbols [B, T] from ``start`` on of the documents of these windows, both int64 [B]."""
        document = self._document(row)
        length, first = self.lengths[document][:, None], self.first[document][:, None]
        place = start[:, None] + torch.arange(self.size)  # [B, T], in the document
        whole = length // self.size * self.size
        behind = (place >= whole) * (self.size - (length - whole))  # they stand in the last window alone
        return self.x.view(-1)[first * self.size + place + behind]

    def _document(self, row: Tensor) -> Tensor:
        return torch.searchsorted(self.first, row, right=True) - 1


class CropOrder(Order):
    """Of each row of a batch its number and where its crop begins: [B / world_size, 2]."""

    windows: Windows

    def __iter__(self) -> Iterator[Rows]:
        epoch = self.position()[0]
        for rows in super().__iter__():
            starts = self.windows.starts(torch.from_numpy(rows), self.seed, epoch)
            yield np.stack([rows, starts.numpy()], axis=1)


class CropLoader(TensorLoader):
    """Training batches of random crops, for this rank; arguments as of its base, and the windows."""

    def __init__(
        self,
        stored: Stored,
        *,
        windows: Windows,
        batch_size: int,
        seed: int,
        training: bool,
        num_workers: int = 0,
        position: Position = from_the_start,
    ) -> None:
        super().__init__(
            stored,
            batch_size=batch_size,
            seed=seed,
            training=training,
            num_workers=num_workers,
            position=position,
        )
        self.windows = windows
        self.order = CropOrder(
            count=len(stored), batch_size=batch_size, seed=seed, training=training, position=position
        )
        self.order.windows = windows

    def gather(self, rows: Rows) -> StoredBatch:
        return _cropped(self.windows, rows)

    def samples(self) -> Dataset[StoredBatch]:
        return _Crops(self.windows)


class _Crops(Dataset[StoredBatch]):
    """Crops that torch's DataLoader asks for a whole batch at a time."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def __getitems__(self, rows: Rows) -> StoredBatch:
        return _cropped(self.windows, rows)


def _cropped(windows: Windows, rows: Rows) -> StoredBatch:
    row, start = torch.from_numpy(np.ascontiguousarray(rows.T))
    return StoredBatch(x=windows.crops(row, start), label=None, row=row)

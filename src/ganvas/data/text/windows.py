"""Documents cut into windows of one length, and random crops of them that need no more memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

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

    def drawn_starts(self, rows: Tensor, *, seed: int, epoch: int) -> Tensor:
        """Where in its window's document the crop of each row begins, int64 [B]; any place is as likely.

        A function of (seed, epoch, row). A document has as many crops an epoch as windows.
        """
        free = self.lengths[self._document(rows)] - self.size + 1
        return hash_index(rows, "crop", seed, epoch) % free

    def cut(self, rows: Tensor, starts: Tensor) -> Tensor:
        """The symbols [B, T] from ``starts`` on of the documents of these windows, both int64 [B]."""
        document = self._document(rows)
        length, first = self.lengths[document][:, None], self.first[document][:, None]
        place = starts[:, None] + torch.arange(self.size)  # [B, T], in the document
        whole = length // self.size * self.size
        behind = (place >= whole) * (self.size - (length - whole))  # they stand in the last window alone
        return self.x.view(-1)[first * self.size + place + behind]

    def _document(self, row: Tensor) -> Tensor:
        return torch.searchsorted(self.first, row, right=True) - 1

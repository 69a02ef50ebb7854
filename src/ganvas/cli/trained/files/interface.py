"""What takes samples in pieces, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType

from torch import Tensor

from ganvas.modality.interface import Modality


class SampleFile(ABC):
    """Where samples go: ``with open_samples(...) as file:`` and :meth:`append` for each piece.

    The file has its name once the block has ended well; else nothing is left of it.

    Args:
        out: the file, or a folder of files; the folder that it lies in is there.
        num: how many samples will come.
        modality: what they are.
    """

    def __init__(self, out: Path, num: int, modality: Modality) -> None:
        self.out, self.num, self.modality = out, num, modality

    @abstractmethod
    def append(self, x: Tensor, label: Tensor | None) -> None:
        """The next samples [B, ...], as networks make them, and their classes int64 [B], if they have any."""

    @abstractmethod
    def close(self) -> None:
        """Ends the file; all samples have come."""

    @abstractmethod
    def abandon(self) -> None:
        """Removes what is there of the file."""

    def __enter__(self) -> SampleFile:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.abandon()
            return
        try:
            self.close()
        except BaseException:  # a disk may be full at the last bytes too
            self.abandon()
            raise

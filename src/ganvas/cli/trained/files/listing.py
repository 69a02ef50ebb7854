"""Samples one after another in one file: sounds in a .wav, texts in a .txt."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ganvas.cli.trained.files.interface import SampleFile
from ganvas.files.write import WholeFile
from ganvas.modality.interface import Modality


class Listing(SampleFile):
    """What the modality writes of several samples; they are held until the last one has come."""

    def __init__(self, out: Path, num: int, modality: Modality) -> None:
        super().__init__(out, num, modality)
        self._stored: list[Tensor] = []

    def append(self, x: Tensor, label: Tensor | None) -> None:
        self._stored.append(self.modality.to_stored(x).cpu())

    def close(self) -> None:
        with WholeFile(self.out) as file:
            self.modality.write_several(file, self.out.suffix, torch.cat(self._stored))

    def abandon(self) -> None:
        self._stored.clear()

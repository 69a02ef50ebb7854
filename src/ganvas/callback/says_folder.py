"""Where a run lies, said as its training begins: until then it may be refused, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.files.text import say


class SaysFolder(pl.Callback):
    """Says it once, however often training begins.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.is_said = folder, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not self.is_said:
            say(f"folder: {self.folder}", flush=True)
        self.is_said = True

"""Checkpoints by images: when they are written, which are kept, what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from ganvas.callback.checkpoint import Checkpoint
from ganvas.errors import OptionError
from ganvas.model.recipe import Recipe
from ganvas.runtime.checkpoint_io import DurableCheckpointIO
from ganvas.runtime.run_folder import checksum_matches


class Line(Recipe):
    """One weight, eight samples a batch."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.begin_step()
        self.end_step(len(batch))
        return self.layer(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder: Path, batches: int, **options: int) -> list[str]:
    checkpoint = Checkpoint(run_dir=str(folder), **options)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=batches,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[DurableCheckpointIO()],
        callbacks=[checkpoint],
    )
    trainer.fit(Line(), DataLoader(torch.rand(8 * 4, 1), batch_size=8))
    return sorted(path.name for path in (folder / "checkpoints").glob("*"))


def names(*images: int) -> list[str]:
    return sorted(f"{count:012d}.ckpt{end}" for count in images for end in ("", ".sha256"))


def test_every_images_and_the_last_batch(tmp_path: Path) -> None:
    # 8 images a batch: 20 is passed at 24 and 40, the end is at 56.
    assert fit(tmp_path, 7, every_images=20, keep_last=9) == names(24, 40, 56)


def test_keeps_the_newest(tmp_path: Path) -> None:
    assert fit(tmp_path, 7, every_images=8, keep_last=2) == names(48, 56)


def test_zero_writes_the_end_alone(tmp_path: Path) -> None:
    assert fit(tmp_path, 5, every_images=0, keep_last=1) == names(40)


def test_holds_clock_and_weights_and_a_right_hash(tmp_path: Path) -> None:
    fit(tmp_path, 5, every_images=0, keep_last=1)
    path = tmp_path / "checkpoints" / f"{40:012d}.ckpt"
    assert checksum_matches(path)
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["ganvas_clock"] == {"images_seen": 40, "batches_seen": 5}
    assert checkpoint["global_step"] == 5
    assert (checkpoint["epoch"], list(checkpoint["state_dict"])) == (1, ["layer.weight", "layer.bias"])


@pytest.mark.parametrize(("option", "value"), [("every_images", -1), ("keep_last", 0)])
def test_refuses(tmp_path: Path, option: str, value: int) -> None:
    options = {"every_images": 1, "keep_last": 1} | {option: value}
    with pytest.raises(OptionError, match=f"{option}={value}"):
        Checkpoint(run_dir=str(tmp_path), **options)

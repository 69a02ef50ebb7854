"""Tiny recipes and data that keep the contracts, for a real Trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.utils.data import DataLoader

from ganvas.callback.run_state import RunCallback, RunState, give_state
from ganvas.functional.batch import Batch, DataFacts
from ganvas.modality.guess import modality_of
from ganvas.modality.interface import Modality
from ganvas.model.interface import Reconstruction

BATCH = 4


class Data(pl.LightningDataModule):
    """20 training and 12 other samples."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        counts = {"train": 20, "val": 12, "test": 12}
        self.parts = {
            name: torch.rand(count, *shape, generator=generator) * 2 - 1 for name, count in counts.items()
        }

    def num_samples(self, name: str) -> int:
        return len(self.parts[name])

    def batches(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        for part in self.parts[name][:limit].split(batch_size):
            yield Batch(part, None)

    def split(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(x=self.parts[name], label=None)

    @property
    def modality(self) -> Modality:
        return modality_of(self.parts["train"].shape[1:])

    def facts(self) -> DataFacts:
        return DataFacts(list(self.parts["train"].shape[1:]), None, "0" * 64, "Data")

    wholes = batches

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        return {"split": name, "samples": len(self.parts[name][:limit])}

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.parts["train"], batch_size=BATCH)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.parts["val"], batch_size=BATCH)  # type: ignore[arg-type]


class Recipe(pl.LightningModule):
    """Reports at every second batch; ``weight`` falls by the learning rate each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(1.0))
        self.examples_seen, self.batches_seen = 0, 0
        self.report: dict[str, Tensor] = {}
        self.validation_report: dict[str, float] = {}
        self.metrics: dict[str, float] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.125)

    def training_step(self, x: Tensor, batch_idx: int) -> Tensor:
        self.report = {}
        if self.batches_seen % 2 == 0:
            self.report = {"loss/total": self.weight.detach().clone(), "loss/nan": torch.tensor(torch.nan)}
        self.batches_seen += 1
        self.examples_seen += len(x)
        return self.weight

    def validation_step(self, x: Tensor, batch_idx: int) -> None:
        pass

    def on_validation_epoch_end(self) -> None:
        self.validation_report = {"validation/psnr": float(self.examples_seen) / 8}


class Sampler(Recipe):
    """A GAN's face: sample i is a constant image (or a point) of level i / 100 times the weight."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        level = torch.arange(start, start + num).float() / 100 * self.weight
        noise = torch.linspace(-0.1, 0.1, int(torch.tensor(self.shape).prod())).view(self.shape)
        return level.view(-1, *[1] * len(self.shape)) + noise * (
            level.view(-1, *[1] * len(self.shape)) + seed
        )


class Autoencoder(Recipe):
    """A VQ-VAE's face: the reconstruction is the negative, the code is 1 or 6 by the first value's sign."""

    codebook_sizes = (8,)

    def reconstruct(self, x: Tensor) -> Reconstruction:
        return Reconstruction(-x, ((x.flatten(1)[:, :2] > 0).long() * 5 + 1,))


class Interrupter(RunCallback):
    """Asks for a stop after so many batches: as a signal does, or as a time limit does."""

    def __init__(self, batches: int, *, by_signal: bool = True) -> None:
        self.batches, self.by_signal = batches, by_signal

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        if trainer.global_step >= self.batches:
            trainer.should_stop = True
            self.state.stopped_by_signal = self.by_signal


@pytest.fixture
def sampler() -> Callable[[tuple[int, ...]], Sampler]:
    return Sampler


@pytest.fixture
def autoencoder() -> Callable[[], Autoencoder]:
    return Autoencoder


@pytest.fixture
def interrupter() -> Callable[..., Interrupter]:
    return Interrupter


@pytest.fixture
def data() -> Callable[[tuple[int, ...]], Data]:
    return Data


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., RunState]:
    """Trains for so many batches with the callbacks; logs to tmp_path/tensorboard; returns their state."""

    def run(
        recipe: Recipe,
        callbacks: list[pl.Callback],
        *,
        batches: int = 5,
        shape: tuple[int, ...] = (1, 8, 8),
        max_examples: int | None = None,
    ) -> RunState:
        state = RunState(max_examples=max_examples)
        give_state(callbacks, state)
        trainer = pl.Trainer(
            max_steps=batches,
            max_epochs=-1,
            accelerator="cpu",
            logger=TensorBoardLogger(tmp_path, name="", version="tensorboard"),
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=1,
            default_root_dir=tmp_path,
        )
        trainer.fit(recipe, datamodule=Data(shape))
        return state

    return run


@pytest.fixture
def events(tmp_path: Path) -> Callable[[], EventAccumulator]:
    """What TensorBoard reads of the run."""

    def read() -> EventAccumulator:
        return EventAccumulator(
            str(tmp_path / "tensorboard"), size_guidance={"images": 0, "histograms": 0}
        ).Reload()

    return read

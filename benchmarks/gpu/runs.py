"""What the sections of check.py share: the machine, synthetic data, and training through a real Trainer."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.cli.compose.experiment import compose
from ganvas.run.prepare import configure, prepare
from ganvas.run.trainer import make_trainer

NUM_CLASSES = 10
_SMALL = {
    "biggan": ["model.generator.widths=[16,16,16]", "model.discriminator.widths=[16,16,16]"],
    "dcgan": ["model.generator.base_channels=8", "model.discriminator.base_channels=8"],
    "style": ["model.generator.channel_max=16", "model.discriminator.channel_max=16"],
    "vqvae": ["model.encoder.hidden_channels=16", "model.decoder.hidden_channels=16"],
}
# Recipes of other data, which are composed alone: no file is opened.
_SOUNDS = ["data=sound_folder", "data.root=sounds", "data.rate=8000", f"data.num_classes={NUM_CLASSES}"]
_OTHER_DATA = {
    "sound_vqvae": [*_SOUNDS, "data.crop_length=2560"],
    "sound_vqgan": [*_SOUNDS, "data.crop_length=2560"],
    "text_vqvae": ["data=text_files", "data.root=texts", "data.crop_length=64"],
    "wavegan": [
        *(*_SOUNDS, "data.crop_length=1024", "model.generator.strides=[4,4,4]"),
        *("model.discriminator.strides=[4,4,4]", "model.generator.base_channels=8"),
        "model.discriminator.base_channels=8",
    ],
}


@dataclass
class Bench:
    """One run of the check.

    Attributes:
        device: ``cuda`` or ``cpu``.
        small: tiny sizes and few steps, for a CPU.
        folder: an empty one, for data and checkpoints.
        failures: what did not hold in the present section.
    """

    device: str
    small: bool
    folder: Path
    failures: list[str] = field(default_factory=list)

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"

    @property
    def side(self) -> int:
        """Pixels a side of the data."""
        return 16 if self.small else 64

    @property
    def batch_size(self) -> int:
        return 8 if self.small else 128

    def data(self) -> list[str]:
        """The words for a folder of coloured blotches in ten classes, written at the first call."""
        root = self.folder / f"blotches{self.side}"
        if not root.exists():
            write_blotches(root, count=160 if self.small else 5120, side=self.side)
        return [
            "data=image_folder",
            f"data.root={root}",
            f"data.cache_dir={self.folder / 'cache'}",
            f"data.native_size={self.side}",
            f"data.num_classes={NUM_CLASSES}",
        ]

    def words(self, model: str, *more: str) -> list[str]:
        """The words that compose a recipe on the synthetic data and this device."""
        own = any(word.startswith(("model/encoder=", "model/decoder=")) for word in more)  # other sizes
        return [
            f"model={model}",
            *(_OTHER_DATA[model] if model in _OTHER_DATA else self.data()),
            f"data.batch_size={self.batch_size}",
            f"accelerator={'gpu' if self.on_gpu else 'cpu'}",
            "logger=none",
            "callback=none",
            "trainer.max_examples=null",
            "trainer.limit_val_batches=0",
            *(_SMALL.get(model, []) if self.small and not own else []),
            *more,
        ]

    def expect(self, holds: bool, text: str) -> None:
        """Notes a failure of the section, which goes on."""
        if not holds:
            self.failures.append(text)

    def attempt(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``work`` finds; where it raises, the section has failed and goes on."""
        try:
            return work()
        except Exception as error:
            self.failures.append(f"{name}: {type(error).__name__}: {error}")
            return {"error": traceback.format_exc()}

    def synchronize(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()


def write_blotches(root: Path, *, count: int, side: int) -> None:
    """Smooth random colours as PNGs of ``side`` x ``side``, in a folder for each class."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    fine = interpolate(coarse, size=(side, side), mode="bilinear").mul(255).byte().permute(0, 2, 3, 1)
    for number in range(NUM_CLASSES):
        (root / str(number)).mkdir(parents=True)
    for number, pixels in enumerate(fine.numpy()):
        path = root / str(number % NUM_CLASSES) / f"{number:05}.png"
        Image.fromarray(pixels).save(path, compress_level=1)


@dataclass
class Trained:
    """A finished training: the recipe and its Trainer."""

    model: Any
    trainer: pl.Trainer

    def digest(self) -> str:
        """sha256 of the weights and of every optimizer's state."""
        strategy = self.trainer.strategy
        states = [strategy.optimizer_state(optimizer) for optimizer in self.trainer.optimizers]
        return digest([strategy.lightning_module_state_dict(), states])


def train(
    words: Sequence[str],
    folder: Path,
    *,
    steps: int,
    callbacks: Sequence[pl.Callback] = (),
    checkpoint: Path | None = None,
) -> Trained:
    """Trains ``steps`` batches as `ganvas train` does, without a run folder; from a checkpoint if given."""
    config = compose([*words, f"trainer.max_steps={steps}"]).config
    data, model, options, machine = prepare(config)
    folder.mkdir(exist_ok=True)
    trainer = make_trainer(
        options,
        machine,
        batch_size=data.batch_size,
        callbacks=list(callbacks),
        loggers=[],
        run_dir=str(folder),
    )
    configure(model, options, machine, batch_size=data.batch_size)
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint and str(checkpoint), weights_only=True)
    return Trained(model, trainer)


class Reports(pl.Callback):
    """Keeps what each step reported, and how long it took in seconds; the host waits at every batch's end."""

    def __init__(self) -> None:
        self.reports: list[dict[str, float]] = []
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self._began)
        self.reports.append({tag: float(value) for tag, value in pl_module.report.items()})


def losses(reports: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Tag -> the losses that the steps reported."""
    tags = [tag for tag in reports[0] if tag.startswith("loss/")]
    return {tag: [report[tag] for report in reports] for tag in tags}


def digest(tree: Any) -> str:
    """sha256 of a tree of tensors, numbers and texts; equal for equal bits."""
    sha = hashlib.sha256()
    _feed(sha, tree)
    return sha.hexdigest()


def _feed(sha: Any, tree: Any) -> None:
    if isinstance(tree, Tensor):
        sha.update(f"{tree.dtype}{tuple(tree.shape)}".encode())
        sha.update(tree.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(tree, dict):
        for key in sorted(tree, key=str):
            sha.update(str(key).encode())
            _feed(sha, tree[key])
    elif isinstance(tree, list | tuple):
        for item in tree:
            _feed(sha, item)
    else:
        sha.update(repr(tree).encode())

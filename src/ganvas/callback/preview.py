"""Images of what the recipe makes, while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from ganvas.callback.drawing.files import save_image
from ganvas.callback.drawing.images import draw, draw_codes, draw_pairs
from ganvas.callback.drawing.views import Views, look, write_views
from ganvas.callback.run_state import PeriodicCallback, datamodule_of, is_fast_dev_run
from ganvas.errors import require
from ganvas.functional.sharding import unsharded
from ganvas.metric.evaluate import evaluating
from ganvas.model.interface import DrawsCodes, FromLatents, Reconstructs, Samples


class Preview(PeriodicCallback):
    """Writes samples/<examples>.png, and the same image to TensorBoard and to trackers.

    A recipe that makes samples shows them from fixed latents (averaged weights where it has them), a row a
    class where it has classes; one that
    reconstructs shows the first validation samples beside their reconstructions, and in TensorBoard also
    their codes as colours and a histogram of the codes that they use.

    TensorBoard also gets what :mod:`ganvas.callback.drawing.views` makes: points as a mesh, the
    discriminator's decision as a precision-recall curve, latents with pictures in its projector.

    The first preview is of the untrained networks. Then they come at 1, 2, 5, 10, 20, 50 ... times
    ``first_examples``, as long as that is less than ``every_examples``, then at its multiples and the end.

    Args:
        run_dir: the run's folder.
        every_examples: examples between two previews; 0 makes the first and the last alone.
        first_examples: examples of the first preview after the untrained networks'; 0 makes no early ones.
        num: images in a preview.
        num_points: points in a preview, where the samples are points.
        seed: of the latents.
    """

    moment = "shown_at"

    def __init__(
        self,
        *,
        run_dir: str,
        every_examples: int,
        num: int,
        num_points: int,
        seed: int,
        first_examples: int = 0,  # runs of before it have none
    ) -> None:
        super().__init__(every_examples, first_examples, zero="start and end")
        require(num >= 1, "num", num, "must be at least 1; 64 is usual")
        require(num_points >= 1, "num_points", num_points, "must be at least 1; 2000 is usual")
        self.run_dir, self.seed, self.num, self.num_points = run_dir, seed, num, num_points

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        if int(pl_module.examples_seen) == 0:
            self.act_now(trainer, pl_module)

    def act(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Makes the preview of now; every rank calls it, and rank 0 alone works."""
        with unsharded(pl_module):
            if not trainer.is_global_zero or is_fast_dev_run(trainer):
                return
            with evaluating(pl_module) as device:
                image, indices, code_map = self._make(trainer, pl_module, device)
                boards = [one for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
                views = self._look(trainer, pl_module, device) if boards else Views()
        for board in boards:
            with self.state.tolerate_write_errors(type(board).__name__):
                write_views(board.experiment, Path(board.log_dir), views, self.acted_at)
        if image is None:
            return
        with self.state.tolerate_write_errors("samples"):
            save_image(Path(self.run_dir) / "samples" / f"{self.acted_at:012d}.png", image)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                with self.state.tolerate_write_errors(type(logger).__name__):
                    logger.experiment.add_image("samples", image, self.acted_at)
                    if indices is not None and code_map is not None:
                        logger.experiment.add_image("codes", code_map, self.acted_at)
                        _add_code_histograms(logger, indices, pl_module.codebook_sizes, self.acted_at)
            elif hasattr(logger, "take_image"):  # a tracker of ganvas.logger
                with self.state.tolerate_write_errors(type(logger).__name__):
                    logger.take_image("samples", image, self.acted_at)
                    if code_map is not None:
                        logger.take_image("codes", code_map, self.acted_at)

    def _make(
        self, trainer: pl.Trainer, pl_module: Any, device: torch.device
    ) -> tuple[Tensor | None, tuple[Tensor, ...] | None, Tensor | None]:
        """The image uint8 [C, H, W]; the codes, and an image of them, where there are any."""
        real = self._first_samples(trainer)
        if isinstance(pl_module, Reconstructs):
            reconstruction, indices = pl_module.reconstruct(real.to(device))
            code_map = draw_codes(real, reconstruction, indices, pl_module.codebook_sizes)
            return draw_pairs(real, reconstruction), indices, code_map
        by_class = isinstance(pl_module, FromLatents | DrawsCodes) and pl_module.num_classes is not None
        if by_class and real.ndim == 4:
            rows = min(pl_module.num_classes, self.num)  # a row a class
            columns = max(1, self.num // rows)
            label = torch.arange(rows, device=device).repeat_interleave(columns)
            if isinstance(pl_module, FromLatents):
                made = pl_module.generate(pl_module.latents(len(label), self.seed), label)
            else:
                made = pl_module.sample(len(label), self.seed, label=label)
            return draw(made, columns=columns), None, None
        if isinstance(pl_module, Samples):
            samples = pl_module.sample(len(real) if real.ndim == 2 else self.num, self.seed)
            return draw(samples, background=real if real.ndim == 2 else None), None, None
        return None, None, None

    def _look(self, trainer: pl.Trainer, pl_module: Any, device: torch.device) -> Views:
        data: Any = datamodule_of(trainer)
        split = "val" if data.num_samples("val") else "train"
        num = self.num_points if len(data.facts().sample_shape) == 1 else self.num
        real = next(iter(data.batches(split, num, limit=num)))
        return look(pl_module, real, len(real.x), self.seed, device)

    def _first_samples(self, trainer: pl.Trainer) -> Tensor:
        """The first validation samples (training samples where none are held out), on the CPU."""
        data: Any = datamodule_of(trainer)
        split = "val" if data.num_samples("val") else "train"
        first: Tensor = next(iter(data.batches(split, self.num, limit=self.num))).x
        if first.ndim == 2:
            first = next(iter(data.batches(split, self.num_points, limit=self.num_points))).x
        return first


def _add_code_histograms(
    logger: TensorBoardLogger, indices: Sequence[Tensor], sizes: Sequence[int], examples: int
) -> None:
    for level, (one, size) in enumerate(zip(indices, sizes, strict=True), 1):
        edges = np.linspace(0, size, min(size, 256) + 1)  # a bar a code, or a bar for several
        tag = "codes/usage" if len(sizes) == 1 else f"codes/usage_level_{level}"
        logger.experiment.add_histogram(tag, one.flatten().cpu(), examples, bins=edges)

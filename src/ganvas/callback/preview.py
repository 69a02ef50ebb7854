"""What the recipe makes, for eyes and ears, while it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from ganvas.callback.drawing.shown import Shown, ShownCodes, look_at, save_shown, tell_shown, write_shown
from ganvas.callback.drawing.views import Views, look, write_views
from ganvas.callback.run_state import PeriodicCallback, datamodule_of, is_fast_dev_run
from ganvas.errors import require
from ganvas.functional.sharding import unsharded
from ganvas.metric.evaluate import evaluating
from ganvas.modality.interface import Modality
from ganvas.model.interface import DrawsCodes, FromLatents, Reconstructs, Samples


class Preview(PeriodicCallback):
    """Writes samples/<examples>.png, and the same image to TensorBoard and to trackers.

    What can be heard or read comes beside it: of the first ``num_heard`` samples sounds to be played, and
    texts, in TensorBoard and trackers, and all of them as a file (samples/<examples>.wav or .txt).

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
        num_heard: sounds that are played, of the samples or pairs shown.
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
        num_heard: int = 4,
    ) -> None:
        super().__init__(every_examples, first_examples, zero="start and end")
        require(num >= 1, "num", num, "must be at least 1; 64 is usual")
        require(num_points >= 1, "num_points", num_points, "must be at least 1; 2000 is usual")
        require(num_heard >= 0, "num_heard", num_heard, "must be 0 or more; 4 is usual")
        self.run_dir, self.seed, self.num, self.num_points = run_dir, seed, num, num_points
        self.num_heard = num_heard

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
                shown = self._make(trainer, pl_module, device)
                boards = [one for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
                views = self._look(trainer, pl_module, device) if boards else Views()
        for board in boards:
            with self.state.tolerate_write_errors(type(board).__name__):
                write_views(board.experiment, Path(board.log_dir), views, self.acted_at)
        if shown is None:
            return
        with self.state.tolerate_write_errors("samples"):
            save_shown(Path(self.run_dir) / "samples" / f"{self.acted_at:012d}", shown)
        for logger in trainer.loggers:
            with self.state.tolerate_write_errors(type(logger).__name__):
                if isinstance(logger, TensorBoardLogger):
                    write_shown(logger.experiment, shown, self.acted_at)
                elif hasattr(logger, "take_image"):  # a tracker of ganvas.logger
                    tell_shown(logger, shown, self.acted_at)

    def _make(self, trainer: pl.Trainer, pl_module: Any, device: torch.device) -> Shown | None:
        """What is to be seen now; None where the recipe makes nothing."""
        kind: Modality = datamodule_of(trainer).modality
        real = self._first_samples(trainer, kind)
        if isinstance(pl_module, Reconstructs):
            made, indices = pl_module.reconstruct(real.to(device))
            sizes = pl_module.codebook_sizes
            code_map = kind.draw_codes(real, made, indices, sizes)
            codes = ShownCodes(code_map, indices, sizes)
            return look_at(kind, made, kind.draw_pairs(real, made), self.num_heard, beside=real, codes=codes)
        by_class = isinstance(pl_module, FromLatents | DrawsCodes) and pl_module.num_classes is not None
        if by_class and kind.has_pictures:
            rows = min(pl_module.num_classes, self.num)  # a row a class
            columns = max(1, self.num // rows)
            label = torch.arange(rows, device=device).repeat_interleave(columns)
            if isinstance(pl_module, FromLatents):
                made = pl_module.generate(pl_module.latents(len(label), self.seed), label)
            else:
                made = pl_module.sample(len(label), self.seed, label=label)
            return look_at(kind, made, kind.draw(made, columns=columns), self.num_heard)
        if isinstance(pl_module, Samples):
            made = pl_module.sample(len(real) if kind.together else self.num, self.seed)
            drawn = kind.draw(made, background=real if kind.together else None)
            return look_at(kind, made, drawn, self.num_heard)
        return None

    def _look(self, trainer: pl.Trainer, pl_module: Any, device: torch.device) -> Views:
        data: Any = datamodule_of(trainer)
        split = "val" if data.num_samples("val") else "train"
        num = self.num_points if data.modality.together else self.num
        real = next(iter(data.batches(split, num, limit=num)))
        return look(pl_module, real, len(real.x), self.seed, device, data.modality)

    def _first_samples(self, trainer: pl.Trainer, kind: Modality) -> Tensor:
        """The first validation samples (training samples where none are held out), on the CPU."""
        data: Any = datamodule_of(trainer)
        split = "val" if data.num_samples("val") else "train"
        num = self.num_points if kind.together else self.num
        first: Tensor = next(iter(data.batches(split, num, limit=num))).x
        return first

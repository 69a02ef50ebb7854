"""The codes of a quantizer in TensorBoard, while it trains."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor, nn

from ganvas.callback.agenda import Due
from ganvas.callback.drawing.codes import Codes, CodeUse, decode_codes, measure_use
from ganvas.callback.drawing.projector import write_projector
from ganvas.callback.run_state import PeriodicCallback, datamodule_of, is_fast_dev_run
from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.checked_values import items, whole
from ganvas.functional.code_choice import by_use, counts_of, spread
from ganvas.functional.code_usage import usage
from ganvas.functional.sharding import unsharded
from ganvas.metric.evaluate import evaluating
from ganvas.modality.drawing.sheets import draw, smaller
from ganvas.modality.interface import Modality
from ganvas.model.interface import has_codes

log = logging.getLogger("ganvas")

_BATCH = 64
_SIDE = 64  # most pixels of a code's picture
_LARGEST = 2**16  # codes of a level of which the ages are kept, in every checkpoint


class Codebook(PeriodicCallback):
    """Shows a quantizer's codes in TensorBoard; nothing for recipes without codes, or without TensorBoard.

    It looks at the previews' times, but not at untrained networks. In use is what the first ``num``
    validation samples use. Under ``codebook/``, of several levels each with ``_level_2`` and so on behind it:

    - ``used`` (codes in use) and ``perplexity``, scalars over time;
    - ``uses``, a histogram over the codes: how often each is used;
    - ``age``, a histogram over the codes: examples since a look last found it in use (since the start, where
      none did), of levels of at most 65,536 codes;
    - ``restarts``, a scalar: how many codes the quantizer has restarted since the look before, of all levels;
    - ``decoded``, an image: what each code of the first level decodes to
      (:func:`ganvas.callback.drawing.codes.decode_codes`), by index.

    Beside the event files lies what the tab PROJECTOR shows, always of the newest look: the first level's
    codes as vectors, with these pictures, and uses and age as labels.

    Of more than ``most`` codes so many are decoded, evenly apart by their indices, which are the same ones at
    every look; of more than 65,536 the most used ones of the look, since hardly any other has a use.

    Args:
        every_examples: examples between two looks; 0 looks at the end alone.
        num: validation samples (training samples where none are held out).
        most: codes that are decoded.
        first_examples: examples of the first look; then 2, 5, 10 ... times as many, as for previews; 0: none.
    """

    moment = "shown_at"

    def __init__(self, *, every_examples: int, num: int, most: int, first_examples: int = 0) -> None:
        super().__init__(every_examples, first_examples)
        require(num >= 1, "num", num, "must be at least 1; 512 is usual")
        require(2 <= most <= 10_000, "most", most, "must be from 2 to 10000; 512 is usual")
        self.num, self.most = num, most
        self._last_used: list[Tensor] = []  # of each level int64 [its size] examples; [0] where not kept
        self._restarts = 0  # since the last look, before this process
        self._counted = 0  # of the quantizer's own count, which begins anew with it, at that time
        self._quantizer: nn.Module | None = None

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "last_used": [one.clone() for one in self._last_used],
            "restarts": self._restarts_until_now(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._restarts = whole(state_dict, "restarts")
        self._last_used = [_checked(one, self.acted_at) for one in items(state_dict, "last_used")]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self._quantizer = pl_module.quantizer if has_codes(pl_module) else None
        self._counted = _restarts(self._quantizer)

    def next_due(self) -> Due:
        return Due() if self._quantizer is None else super().next_due()

    def act(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Looks at the codes of now; every rank calls it, and rank 0 alone works."""
        if not has_codes(pl_module):
            return
        now = self.acted_at
        restarts, self._restarts = self._restarts_until_now(), 0
        self._counted = _restarts(self._quantizer)
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        with unsharded(pl_module):  # type: ignore[arg-type]  # and a module
            if not loggers or not trainer.is_global_zero or is_fast_dev_run(trainer):
                return
            with evaluating(pl_module) as device:  # type: ignore[arg-type]
                every = Codes(pl_module)
                try:
                    use = measure_use(every, self._samples(trainer), device)
                except ValueError as error:  # a run that diverged goes on
                    log.info("no look at the codes after %d examples: %s", now, error)
                    return
                codes = _chosen(use.counts[0], self.most)
                decoded = decode_codes(every, use, 0, codes, batch_size=_BATCH)
        ages = self._ages(use, now)
        kind: Modality = datamodule_of(trainer).modality
        pictures = smaller(kind.pictures(decoded.x), _SIDE) if kind.has_pictures else None
        table: dict[str, Any] = {"code": codes.tolist(), "uses": counts_of(use.counts[0], codes).tolist()}
        if ages[0] is not None:
            table["age"] = ages[0][codes].tolist()
        for logger in loggers:
            with self.state.tolerate_write_errors(type(logger).__name__):
                writer = logger.experiment
                _write_use(writer, use, ages, now)
                if _counters(self._quantizer):
                    writer.add_scalar("codebook/restarts", restarts, now)
                if pictures is not None:
                    writer.add_image("codebook/decoded", draw(pictures), now)
                write_projector(Path(logger.log_dir), "codebook", decoded.vectors, table, pictures)

    def _samples(self, trainer: pl.Trainer) -> Iterator[Batch]:
        data: Any = datamodule_of(trainer)
        split = "val" if data.num_samples("val") else "train"
        batches: Iterator[Batch] = data.batches(split, min(_BATCH, self.num), limit=self.num)
        return batches

    def _ages(self, use: CodeUse, now: int) -> list[Tensor | None]:
        """Of each level, int64 [its size] on the CPU; None where it is not kept."""
        sizes = [len(one) if len(one) <= _LARGEST else 0 for one in use.counts]
        if [len(one) for one in self._last_used] != sizes:  # the first look
            self._last_used = [torch.zeros(size, dtype=torch.int64) for size in sizes]
        ages: list[Tensor | None] = []
        for last, counts in zip(self._last_used, use.counts, strict=True):
            if len(last):
                last[counts > 0] = now
            ages.append(now - last if len(last) else None)
        return ages

    def _restarts_until_now(self) -> int:
        return self._restarts + _restarts(self._quantizer) - self._counted


def _chosen(counts: Tensor, most: int) -> Tensor:
    """The codes that are shown of a level with these counts, by index, int64 [M]."""
    if len(counts) <= _LARGEST:
        return spread(len(counts), most)
    return by_use(counts, most)[0].sort().values


def _counters(quantizer: nn.Module | None) -> list[Tensor]:
    """The counts of restarts of a quantizer and of those in it, each scalar."""
    found = [] if quantizer is None else [getattr(one, "restarts", None) for one in quantizer.modules()]
    return [one for one in found if isinstance(one, Tensor)]


def _restarts(quantizer: nn.Module | None) -> int:
    return sum(int(one) for one in _counters(quantizer))


def _write_use(writer: Any, use: CodeUse, ages: list[Tensor | None], examples: int) -> None:
    for level, (counts, age) in enumerate(zip(use.counts, ages, strict=True), 1):
        suffix = "" if len(ages) == 1 else f"_level_{level}"
        numbers = usage(counts)
        writer.add_scalar(f"codebook/used{suffix}", numbers["codes_used"], examples)
        writer.add_scalar(f"codebook/perplexity{suffix}", numbers["perplexity"], examples)
        if age is not None:
            writer.add_histogram(f"codebook/uses{suffix}", counts, examples)
            writer.add_histogram(f"codebook/age{suffix}", age, examples)


def _checked(last_used: object, shown_at: int) -> Tensor:
    """Raises ValueError where a level's moments are not what a look before ``shown_at`` leaves."""
    if not isinstance(last_used, Tensor) or last_used.dtype != torch.int64 or last_used.ndim != 1:
        raise ValueError("last_used holds no row of whole numbers")
    if len(last_used) > _LARGEST:
        raise ValueError(
            f"last_used holds {len(last_used)} codes of a level, and at most {_LARGEST} are kept"
        )
    if len(last_used) and not 0 <= int(last_used.min()) <= int(last_used.max()) <= shown_at:
        raise ValueError(f"last_used holds moments before the start or after the look at {shown_at}")
    return last_used.clone()

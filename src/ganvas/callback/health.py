"""What experts watch while a GAN or a VQ-VAE trains, said in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from ganvas.callback.detectors.history import History
from ganvas.callback.detectors.interface import Detector, Symptom
from ganvas.callback.detectors.probe import Probe, Reference
from ganvas.callback.record import read_scalars, record
from ganvas.callback.trouble import surviving
from ganvas.errors import require
from ganvas.functional.sharding import whole
from ganvas.metric.evaluate import evaluating

log = logging.getLogger("ganvas")


class Health(pl.Callback):
    """Asks its detectors after every report, measures for them at its own cadence, and says what they find.

    A finding is said once a run: in train.log, as text in TensorBoard (tag ``health``), and in status.json
    (see :func:`findings`). What is measured is recorded as scalars ``health/...``. Nothing of it touches the
    training: its bits are the same without. The first rank alone works, without a word to the others.

    Args:
        run_dir: the run's folder.
        every_images: images between two measurements; one more is made of the untrained networks.
        warmup_images: images before which nothing counts as ill.
        num: samples a measurement: real ones, held-out ones, and made ones.
        max_train: training samples among which the nearest to a sample is looked for.
        seed: of the latents; the same latents in every measurement.
        detectors: by the name under which each speaks; None leaves one out.
    """

    def __init__(
        self,
        *,
        run_dir: str,
        every_images: int,
        warmup_images: int,
        num: int,
        max_train: int,
        seed: int,
        detectors: dict[str, Any],
    ) -> None:
        require(every_images >= 1, "every_images", every_images, "must be at least 1; 50000 is usual")
        require(warmup_images >= 0, "warmup_images", warmup_images, "must be 0 (none) or more")
        require(num >= 2, "num", num, "must be at least 2; 256 is usual")
        require(max_train >= 1, "max_train", max_train, "must be at least 1; 10000 is usual")
        for name, detector in (detectors or {}).items():
            known = detector is None or isinstance(detector, Detector)
            require(known, f"detectors.{name}", detector, "is no detector; give it a _target_, or null")
        self.run_dir, self.every_images = Path(run_dir), every_images
        self.num, self.max_train, self.seed = num, max_train, seed
        self.detectors: dict[str, Detector] = {n: d for n, d in (detectors or {}).items() if d is not None}
        self._history = History(since=warmup_images)
        self._findings: list[dict[str, Any]] = []
        self._measured_at = -1
        self._reference: Reference | None = None

    def state_dict(self) -> dict[str, Any]:
        return {
            "history": self._history.state_dict(),
            "findings": [dict(finding) for finding in self._findings],
            "measured_at": self._measured_at,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._history.load_state_dict(state_dict["history"])
        self._findings = [dict(finding) for finding in state_dict["findings"]]
        self._measured_at = int(state_dict["measured_at"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        findings(trainer)[:] = self._findings
        if self._measured_at < 0:
            self._measure(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        images, every = int(pl_module.images_seen), self.every_images
        due = images // every > self._measured_at // every
        if _works(trainer) and pl_module.report:
            self._history.add(images, read_scalars(pl_module.report))
        if due:
            self._measure(trainer, pl_module)
        if _works(trainer) and (due or pl_module.report) and images >= self._history.since:
            self._look(trainer, images)

    def _measure(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Adds the detectors' figures of now to the history, and records them."""
        self._measured_at = int(pl_module.images_seen)
        with whole(pl_module):
            figures = self._figures(trainer, pl_module) if _works(trainer) else {}
        if figures:
            self._history.add(self._measured_at, figures)
            record(trainer, pl_module, str(self.run_dir), figures)

    def _figures(self, trainer: pl.Trainer, pl_module: Any) -> dict[str, float]:
        figures: dict[str, float] = {}
        with evaluating(pl_module) as device:
            if self._reference is None:
                data = trainer.datamodule  # type: ignore[attr-defined]
                self._reference = Reference(data, num=self.num, max_train=self.max_train, device=device)
            probe = Probe(pl_module, self._reference, num=self.num, seed=self.seed)
            for detector in self.detectors.values():
                figures |= detector.measure(probe)
        return figures

    def _look(self, trainer: pl.Trainer, images: int) -> None:
        found = {finding["name"] for finding in self._findings}
        for name, detector in self.detectors.items():
            if name not in found and (symptom := detector.look(self._history)) is not None:
                self._say(trainer, name, images, symptom, detector.advice)

    def _say(self, trainer: pl.Trainer, name: str, images: int, symptom: Symptom, advice: str) -> None:
        finding = {"name": name, "images": images, **symptom._asdict(), "try": advice}
        self._findings.append(finding)
        findings(trainer).append(finding)
        log.warning("after %d images: %s", images, in_words(finding))
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                with surviving(trainer, type(logger).__name__):
                    logger.experiment.add_text("health", in_words(finding), images)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._reference = None


def findings(trainer: Any) -> list[dict[str, Any]]:
    """What was found in the run so far, oldest first, on its trainer, which every callback is handed.

    Each is ``{"name", "images", "figure", "threshold", "says", "try"}``.
    """
    return trainer.__dict__.setdefault("ganvas_health", [])


def in_words(finding: Mapping[str, Any]) -> str:
    """A finding as one line."""
    figure, threshold = finding["figure"], finding["threshold"]
    return f"{finding['says']} (limit {threshold:g}, seen {figure:.4g}); try {finding['try']}"


def _works(trainer: Any) -> bool:
    return bool(trainer.is_global_zero and not trainer.fast_dev_run)

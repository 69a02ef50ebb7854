"""What experts watch while a GAN or a VQ-VAE trains, said in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from ganvas.callback.agenda import Due
from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe, Reference
from ganvas.callback.detectors.interface import Detector, Symptom
from ganvas.callback.record import read_scalars, record
from ganvas.callback.run_state import PeriodicCallback, datamodule_of, is_fast_dev_run
from ganvas.errors import require
from ganvas.functional.checked_values import items, number, table, text, whole
from ganvas.functional.sharding import unsharded
from ganvas.metric.evaluate import evaluating

log = logging.getLogger("ganvas")


class Health(PeriodicCallback):
    """Asks its detectors after every report, measures for them at its own cadence, and says what they find.

    A finding is said once a run: in train.log, as text in TensorBoard (tag ``health``), and in status.json
    (``RunState.findings``). What is measured is recorded as scalars ``health/...``. Nothing of it touches the
    training: its bits are the same without. The first rank alone works, without a word to the others.
    Where a run finishes between two measurements, one more is made and recorded. Detectors that wait for the
    warm-up do not count it, so that a run that goes on from there finds what one without an end finds.

    Args:
        run_dir: the run's folder.
        every_examples: examples between two measurements; one more is made of the untrained networks.
        warmup_examples: examples before which nothing counts as ill.
        num: samples a measurement: real ones, held-out ones, and made ones.
        max_train: training samples among which the nearest to a sample is looked for.
        seed: of the latents; the same latents in every measurement.
        detectors: by the name under which each speaks; None leaves one out.
    """

    moment = "measured_at"

    def __init__(
        self,
        *,
        run_dir: str,
        every_examples: int,
        warmup_examples: int,
        num: int,
        max_train: int,
        seed: int,
        detectors: dict[str, Any],
    ) -> None:
        require(every_examples >= 1, "every_examples", every_examples, "must be at least 1; 50000 is usual")
        require(warmup_examples >= 0, "warmup_examples", warmup_examples, "must be 0 (none) or more")
        require(num >= 2, "num", num, "must be at least 2; 256 is usual")
        require(max_train >= 1, "max_train", max_train, "must be at least 1; 10000 is usual")
        for name, detector in (detectors or {}).items():
            known = detector is None or isinstance(detector, Detector)
            require(known, f"detectors.{name}", detector, "is no detector; give it a _target_, or null")
        super().__init__(every_examples)
        self.run_dir = Path(run_dir)
        self.num, self.max_train, self.seed = num, max_train, seed
        self.detectors: dict[str, Detector] = {n: d for n, d in (detectors or {}).items() if d is not None}
        self._history = History(since=warmup_examples)
        self._findings: list[dict[str, Any]] = []
        self._reference: Reference | None = None

    def state_dict(self) -> dict[str, Any]:
        return {
            "history": self._history.state_dict(),
            "findings": [dict(finding) for finding in self._findings],
            **super().state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._history.load_state_dict(table(state_dict, "history"))
        self._findings = [_checked_finding(finding) for finding in items(state_dict, "findings")]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self.state.findings[:] = self._findings
        if self.acted_at < 0:
            self.act_now(trainer, pl_module)

    def out_of_reach(self, max_examples: int, log_every_examples: int) -> list[str]:
        """See :class:`RunCallback`: detectors that have too few measurements or reports after the warm-up."""
        since = self._history.since
        silent = [
            name
            for name, one in self.detectors.items()
            if one.waits
            and (
                one.probes > _multiples(self.every_examples, since, max_examples)
                or one.window > _multiples(log_every_examples, since, max_examples)
            )
        ]
        if not silent:
            return []
        which = f"{len(silent)} of {len(self.detectors)} detectors" if len(silent) > 2 else ", ".join(silent)
        options = f"callback.health.warmup_examples={since} every_examples={self.every_examples}"
        return [f"{options}: {which} can find nothing in a run of {max_examples:,} examples"]

    def next_due(self) -> Due:
        return super().next_due()  # said beside the hook below, which the agenda asks for

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        examples = int(pl_module.examples_seen)
        due = examples >= self.next_due().examples
        if _works(trainer) and pl_module.report:
            self._history.add(examples, read_scalars(pl_module.report))
        if due:
            self.act_now(trainer, pl_module)
        if _works(trainer) and (due or pl_module.report):
            self._look(trainer, examples, is_warm=examples >= self._history.since)

    def act(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Adds the detectors' metrics of now to the history."""
        self._history.add(self.acted_at, self._measure(trainer, pl_module))

    def _measure(self, trainer: pl.Trainer, pl_module: Any) -> dict[str, float]:
        """The detectors' metrics of now, recorded; none but on the rank that works."""
        with unsharded(pl_module):
            metrics = self._metrics(trainer, pl_module) if _works(trainer) else {}
        if metrics:
            record(trainer, pl_module, str(self.run_dir), metrics, self.state)
        return metrics

    def _metrics(self, trainer: pl.Trainer, pl_module: Any) -> dict[str, float]:
        metrics: dict[str, float] = {}
        with evaluating(pl_module) as device:
            if self._reference is None:
                data = datamodule_of(trainer)
                self._reference = Reference(data, num=self.num, max_train=self.max_train, device=device)
            probe = Probe(pl_module, self._reference, num=self.num, seed=self.seed)
            for detector in self.detectors.values():
                metrics |= detector.measure(probe)
        return metrics

    def _look(self, trainer: pl.Trainer, examples: int, *, is_warm: bool) -> None:
        found = {finding["name"] for finding in self._findings}
        for name, detector in self.detectors.items():
            if name in found or (detector.waits and not is_warm):
                continue
            if (symptom := detector.look(self._history)) is not None:
                self._say(trainer, name, examples, symptom, detector.advice)

    def _say(self, trainer: pl.Trainer, name: str, examples: int, symptom: Symptom, advice: str) -> None:
        finding = {"name": name, "examples": examples, **symptom._asdict(), "try": advice}
        self._findings.append(finding)
        self.state.findings.append(finding)
        log.warning("after %d examples: %s", examples, in_words(finding))
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                with self.state.tolerate_write_errors(type(logger).__name__):
                    logger.experiment.add_text("health", in_words(finding), examples)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.is_due_at_end(trainer, pl_module):
            # a run that goes on from here has the history of one that never ended
            self._history.note(self._measure(trainer, pl_module))
            if _works(trainer):
                self._look(trainer, int(pl_module.examples_seen), is_warm=False)
        self._reference = None


def in_words(finding: Mapping[str, Any]) -> str:
    """A finding as one line."""
    value, threshold = finding["value"], finding["threshold"]
    return f"{finding['says']} (limit {threshold:g}, seen {value:.4g}); try {finding['try']}"


def _checked_finding(finding: Any) -> dict[str, Any]:
    """A finding that a checkpoint brings.

    Raises:
        ValueError: it is of another kind than :meth:`Health._say` makes.
    """
    for key in ("name", "says", "try"):
        text(finding, key)
    for key in ("value", "threshold"):
        number(finding, key)
    whole(finding, "examples")
    return {key: finding[key] for key in ("name", "examples", "value", "threshold", "says", "try")}


def _multiples(every: int, first: int, last: int) -> int:
    """How many multiples of ``every`` there are from ``first`` to ``last``, both included."""
    return max(0, last // every - -(-first // every) + 1)


def _works(trainer: Any) -> bool:
    return bool(trainer.is_global_zero and not is_fast_dev_run(trainer))

"""What a resumed run begins with: its newest whole checkpoint, and a folder put back to that moment."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.errors import OptionError, require
from ganvas.functional.instant import timestamp
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.callback_state import check_callback_states
from ganvas.run.checkpoint.check import check_fits, foreign, load_checked
from ganvas.run.checkpoint.drift import check_drift, config_drift
from ganvas.run.distributed.group import Group
from ganvas.run.folder import journal
from ganvas.run.folder.checksum import sidecar
from ganvas.run.folder.differences import differences
from ganvas.run.folder.run_folder import RunFolder, write_run

log = logging.getLogger("ganvas")


@dataclass
class ResumePlan:
    """A run about to go on; nothing is written before :meth:`begin`.

    Attributes:
        run: the run.
        overrides: what its resumption changes, as the user wrote it.
        checkpoint: the newest whole one; None where the run begins anew.
        damaged: newer ones, which are passed over.
        examples_seen: of the checkpoint.
        batches_seen: likewise.
        drift: what has changed and was allowed to, for run.yaml.
        finished: whether the run ended by itself, right after that checkpoint.
        is_left_off: it did, and was gone on with since, to no further checkpoint: what it wrote at its end
            stays, what came after goes.
        news: what train.log and the terminal are told.
    """

    run: RunFolder
    overrides: Sequence[str] = ()
    checkpoint: Path | None = None
    damaged: list[Path] = field(default_factory=list)
    examples_seen: int = 0
    batches_seen: int = 0
    drift: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    is_left_off: bool = False
    news: list[str] = field(default_factory=list)
    _sizes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def find(cls, run: RunFolder, overrides: Sequence[str] = ()) -> ResumePlan:
        """Looks at the run's checkpoints.

        Raises:
            OptionError: there are some, and all are damaged.
        """
        checkpoint, damaged = run.find_checkpoint()
        if checkpoint is None and damaged:
            names = ", ".join(path.name for path in damaged)
            raise OptionError(
                "RUN",
                run.path,
                f"all its checkpoints are damaged, their sha256 is wrong ({names}); train "
                "anew, or put back copies of a checkpoint and of its .sha256",
            )
        run.check_resumable()
        return cls(run, overrides, checkpoint, damaged)

    def check(self, model: Recipe, precision: str, callbacks: Sequence[pl.Callback] = ()) -> None:
        """Raises OptionError where the checkpoint is not of this model, or a callback does not take it."""
        if self.checkpoint is None:
            return
        held = load_checked(self.checkpoint)
        made: Any = model.configure_optimizers()
        optimizers, schedulers = made if isinstance(made, tuple) else ([made], [])
        check_fits(
            held,
            model=model,
            clock=model.clock(),
            optimizers=optimizers,
            schedulers=schedulers,
            precision=precision,
            path=self.checkpoint,
        )
        self.examples_seen = held["ganvas_clock"]["examples_seen"]
        self.batches_seen = held["ganvas_clock"]["batches_seen"]
        if journal.KEY not in held:  # the rows written so far would be taken for ones of later
            raise foreign(self.checkpoint, f"it holds no {journal.KEY}")
        try:
            check_callback_states(held["callbacks"], callbacks, self.examples_seen)
        except ValueError as error:
            raise foreign(self.checkpoint, str(error)) from error
        self._sizes = held[journal.KEY]
        status = self.run.read_status()
        self.finished = (
            status.get("state") == "finished" and status.get("examples_seen") == self.examples_seen
        )
        ended = journal.sizes_at_end(status, self.examples_seen)
        if ended is not None and not self.finished:  # a later attempt to go on left no checkpoint
            self.finished = self.is_left_off = True
            self._sizes = ended

    def compare(self, config: dict[str, Any], environment: dict[str, Any], *, old: dict[str, Any]) -> None:
        """Raises OptionError where the run would train otherwise, unless ``allow_drift`` takes it.

        Args:
            config: what is about to be trained.
            environment: what :func:`ganvas.run.checkpoint.drift.environment` says now.
            old: the run's record, ``config`` and ``ganvas``.
        """
        drift = config_drift(old["config"], config)
        known = old["ganvas"].get("environment") or {}
        for name in ("data", "versions", "world_size", "rests_on"):
            if known.get(name) is not None:
                drift += differences(known[name], environment.get(name), name)
        self.drift = check_drift(drift, allowed=bool(config.get("allow_drift")))
        for name in ("device", "threads"):
            if name in known and known[name] != environment[name]:
                now = environment[name]
                self.news.append(f"{name} was {known[name]}, is {now}: the last bits may differ")

    def begin(self, run: dict[str, Any]) -> None:
        """Puts the folder back to the checkpoint's moment, and notes in run.yaml what is changed from there.

        Args:
            run: ``config`` and ``ganvas``, as they are from now on.
        """
        for line in self.news:
            log.warning("%s", line)
        for path in self.damaged:  # under its own name it would stand in the way of pruning
            log.warning("%s is damaged (its sha256 is wrong) and is passed over", path.name)
            damaged = path.with_name(path.name + ".damaged")
            path.rename(damaged)
            if sidecar(path).exists():
                sidecar(path).rename(sidecar(damaged))
        clean(self.run.checkpoints)
        if not self.finished or self.is_left_off:
            journal.rewind(self.run.path, self._sizes)
        if self.overrides or self.drift:
            row = {
                "examples_seen": self.examples_seen,
                "time": timestamp(),
                "overrides": list(self.overrides),
                "drift": self.drift,
            }
            run["ganvas"].setdefault("resumed", []).append(row)
            write_run(self.run.path, run)


def clean(checkpoints: Path) -> None:
    """Removes what a kill left half done: temporary files, and hashes of files that never got their name."""
    with contextlib.suppress(OSError):
        for path in checkpoints.glob(".*.tmp"):
            path.unlink(missing_ok=True)
        for path in checkpoints.glob("*.ckpt.sha256"):
            if not path.with_suffix("").exists():
                path.unlink(missing_ok=True)


def check_seen_by_all(resume_plan: ResumePlan, group: Group) -> None:
    """Raises OptionError on a machine that does not see the checkpoint that the first rank goes on from."""
    own = resume_plan.checkpoint.name if resume_plan.checkpoint is not None else "none"
    first = group.of_first(own)

    def check() -> None:
        require(
            own == first,
            "RUN",
            resume_plan.run.path,
            f"the newest whole checkpoint is {first} for the first rank, {own} for rank {group.info.rank}; "
            "to go on with a run, its folder must be on a file system that all machines share",
        )

    group.in_turn(check)

"""One run from its config to its end: data, model, folder, training, last words."""

from __future__ import annotations

import logging
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.checkpoint import Checkpoint
from ganvas.callback.evaluation import Evaluation, best_metrics
from ganvas.callback.health import findings
from ganvas.callback.rows import read_rows
from ganvas.callback.write_errors import write_errors
from ganvas.errors import NonFiniteError, OptionError, RankError, RollbackError
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.drift import environment
from ganvas.run.checkpoint.resume_plan import ResumePlan, check_seen_by_all
from ganvas.run.config.build import build, check_targets
from ganvas.run.config.optimized import check_optimized, optimized
from ganvas.run.distributed.external_environment import open_group
from ganvas.run.distributed.group import TIMEOUT, Group
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.run_folder import RunFolder, check_writable, create
from ganvas.run.folder.train_log import train_log
from ganvas.run.lifeline import Lifeline, MakeUp
from ganvas.run.outcome import Outcome
from ganvas.run.prepare import error_prefix, prepare
from ganvas.run.trainer import (
    AcceleratorOptions,
    TrainerOptions,
    budget_batches,
    make_trainer,
    processes,
)

log = logging.getLogger("ganvas")


@dataclass
class _Made:
    """What a config describes, built and checked; nothing is written yet."""

    config: dict[str, Any]
    data: Any
    model: Recipe
    options: TrainerOptions
    machine: AcceleratorOptions
    callbacks: list[pl.Callback]
    loggers: list[Any]


def train(
    run: dict[str, Any], *, resume: RunFolder | None = None, overrides: Sequence[str] = (),
    listener: int | None = None,
) -> Outcome:  # fmt: skip
    """Trains what ``run["config"]`` describes, in a new folder or from the newest checkpoint of ``resume``.

    Where the numbers diverge and the policy is ``rollback``, it begins again at the newest checkpoint, with
    other draws and other data. A process that a launcher started is one rank of the run.

    Args:
        run: ``config`` (plain values, ``paths.run_dir`` set) and ``ganvas`` (provenance), as in run.yaml.
        resume: the run to continue, in its own folder.
        overrides: what its resumption changes, for the record; they are in ``config`` already.
        listener: see :class:`ganvas.run.distributed.group.Group`.

    Raises:
        OptionError: before anything is written.
        NonFiniteError: the numbers diverged; status.json says so, and the last checkpoint is whole.
        RankError: another rank ended the run.
    """
    info, accelerator = find_rank(), run["config"]["accelerator"]
    info.check(accelerator)
    if accelerator.get("devices") == "auto" and info.launcher is not None:
        accelerator["devices"] = info.local_world
    with Group(info, timeout=_timeout(accelerator), listener=listener) as group:
        run, resume = group.agree(run, resume)
        check_targets(run["config"], run["config"].get("allow_imports") or ())
        check_optimized(run["config"])
        return _train(run, resume, overrides, group)


def _timeout(accelerator: dict[str, Any]) -> float:
    """Before the options are checked, each by its name."""
    value = accelerator.get("timeout")
    return float(value) if isinstance(value, int | float) and value > 0 else TIMEOUT


def _train(run: dict[str, Any], resume: RunFolder | None, overrides: Sequence[str], group: Group) -> Outcome:
    config = run["config"]
    folder, first_rank = RunFolder(Path(config["paths"]["run_dir"])), group.info.is_first
    with _blamed_on(resume):
        made = group.in_turn(lambda: _build_parts(config))
    if resume is None and first_rank:
        below = folder.path.is_relative_to(config["paths"]["output_dir"])
        check_writable(folder.path, "paths.output_dir" if below else "paths.run_dir")
        world = environment(made.data, processes(made.machine))
        create(folder.path, run | {"ganvas": run["ganvas"] | {"environment": world}})
    with RunLock(folder.path) if first_rank else nullcontext():
        group.owns(folder)
        resume_plan = None
        if resume is not None:
            resume_plan = group.in_turn(lambda: _continue(made, run, folder, overrides))
            check_seen_by_all(resume_plan, group)
            if group.info.restart:
                resume_plan.news.append(f"going on at restart {group.info.restart} of torchrun's")
        if resume_plan is not None and resume_plan.finished and _nothing_left(made, resume_plan):
            metrics = folder.read_status().get("metrics") or {}
            note = "it was finished already; a larger trainer.max_examples=... would go on"
            return Outcome(folder, "finished", 0, metrics, [note])
        while True:
            try:
                return _train_once(made, run, folder, resume_plan, group)
            except RollbackError as error:
                number = made.model.rollbacks + 1
                if number > made.options.max_rollbacks:
                    text = f"the run went back {number - 1} times (trainer.max_rollbacks); {error}"
                    raise _failed(folder, NonFiniteError(error.term, text), group) from error
                made = _build_parts(config)
                made.model.rollbacks = number
                resume_plan = group.in_turn(lambda: ResumePlan.find(folder))
                resume_plan.news.append(f"rollback {number}: {error}")
                resume_plan.check(made.model, made.machine.precision)
                check_seen_by_all(resume_plan, group)


@contextmanager
def _blamed_on(run: RunFolder | None) -> Iterator[None]:
    """Parts that do not fit each other are the RUN's fault, whatever they raise: its config is data."""
    try:
        yield
    except (OptionError, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        if run is None:
            raise
        reason = f"its parts do not fit each other ({type(error).__name__}: {error})"
        raise OptionError("RUN", run.path, reason) from error


def _build_parts(config: dict[str, Any]) -> _Made:
    data, model, options, machine = prepare(config)
    nodes = (config.get("callback") or {}).items()
    callbacks = [one for name, node in nodes if (one := build(node, f"callback.{name}")) is not None]
    for callback in callbacks:
        if isinstance(callback, Evaluation):
            with error_prefix("callback.evaluation"):
                callback.check(data, model)
    # A checkpoint comes after everything else that its batch brings.
    callbacks.sort(key=lambda callback: isinstance(callback, Checkpoint))
    nodes = (config.get("logger") or {}).items()
    loggers = [one for name, node in nodes if (one := build(node, f"logger.{name}")) is not None]
    return _Made(config, data, model, options, machine, callbacks, loggers)


def _continue(made: _Made, run: dict[str, Any], folder: RunFolder, overrides: Sequence[str]) -> ResumePlan:
    resume_plan = ResumePlan.find(folder, overrides)
    resume_plan.check(made.model, made.machine.precision)
    world = environment(made.data, processes(made.machine))
    resume_plan.compare(made.config, world, old=folder.read_run())
    if resume_plan.drift:
        run["ganvas"]["environment"] = world
    return resume_plan


def _nothing_left(made: _Made, resume_plan: ResumePlan) -> bool:
    batches = budget_batches(made.options, made.data.batch_size, made.data.num_samples("train"))
    return batches is not None and resume_plan.batches_seen >= batches


def _train_once(
    made: _Made, run: dict[str, Any], folder: RunFolder, resume_plan: ResumePlan | None, group: Group
) -> Outcome:
    """Trains once, to the end, a stop or a failure."""
    began = time.monotonic()
    first_rank = group.info.is_first
    lifeline = Lifeline(folder, max_seconds=made.options.max_seconds, is_handed_on=not group.is_alone)
    lifeline.is_finals_due = resume_plan is not None and not resume_plan.finished
    trainer: pl.Trainer | None = None
    restore = lifeline.handle_signals()
    try:
        with train_log(folder.path / "train.log" if first_rank else None):
            if first_rank:
                if resume_plan is not None:
                    resume_plan.begin(run)
                folder.write_status(state="running", error=None, rollbacks=made.model.rollbacks)
            try:
                trainer = _fit(made, folder, lifeline, resume_plan, group)
            except RollbackError:
                raise
            except (KeyboardInterrupt, SystemExit):
                # Lightning turns a KeyboardInterrupt inside fit into an exit.
                lifeline.signal = lifeline.signal or signal.SIGINT
            except BaseException as error:
                raise _failed(folder, error, group) from None
    finally:
        restore()
    return _end(made, folder, lifeline, trainer, resume_plan, time.monotonic() - began)


def _fit(
    made: _Made, folder: RunFolder, lifeline: Lifeline, resume_plan: ResumePlan | None, group: Group
) -> pl.Trainer:
    model, data, options, machine = made.model, made.data, made.options, made.machine
    trainer = make_trainer(
        options, machine, batch_size=data.batch_size, train_samples=data.num_samples("train"),
        has_validation=data.num_samples("val") > 0, callbacks=[lifeline, *made.callbacks, MakeUp(lifeline)],
        loggers=made.loggers, run_dir=str(folder.path), info=group.info,
    )  # fmt: skip
    open_group(group, trainer, machine.process_group_backend)
    model.log_every(options.log_every_examples, data.batch_size)
    model.set_non_finite_policy(options.non_finite, options.max_skips)
    model.micro_batches = options.micro_batches
    for network in model.networks.values():
        if machine.channels_last:
            network.to(memory_format=_channels_last())  # type: ignore[call-overload]
        if machine.compile:
            network.compile()
    checkpoint = resume_plan.checkpoint if resume_plan is not None else None
    targets = made.config["model"]["_target_"], made.config["data"]["_target_"]
    log.info(
        "%s on %s, folder %s, from %s", *targets, folder.path, checkpoint.name if checkpoint else "the start"
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint and str(checkpoint), weights_only=True)
    return trainer


def _end(
    made: _Made, folder: RunFolder, lifeline: Lifeline, trainer: pl.Trainer | None,
    resume_plan: ResumePlan | None, seconds: float,
) -> Outcome:  # fmt: skip
    """Last words: status.json and what the shell gets."""
    model, notes = made.model, []
    # A resumed run with nothing left to train keeps the metrics that it has.
    metrics = model.metrics or folder.read_status().get("metrics") or {}
    state, code = "finished", 0
    if lifeline.signal is not None:
        state, code = "interrupted", 128 + lifeline.signal
    saved = _saved(made, trainer, resume_plan)
    if not saved:
        notes.append(f"the state after {model.examples_seen} examples could not be written; see status.json")
        code = code or 1
        state = "failed" if state == "finished" else state
    if is_first_rank():
        values: dict[str, Any] = {"state": state, "examples_seen": model.examples_seen}
        if state == "finished":
            values |= {"metrics": metrics, "seconds": round(seconds, 1)}
        if best := best_metrics(read_rows(folder.path / "evaluations.jsonl")):
            values["best"] = best
        if (chosen := optimized(folder.path, made.config)) is not None:
            values["optimized"] = chosen
            for one in (chosen, *chosen.get("also", ())):
                if one["value"] is None:
                    names = ", ".join(one["reported"])
                    notes.append(f"optimized_metric={one['metric']} was never reported; there are: {names}")
        if not saved:
            values["error"] = notes[-1]
        if trainer is not None and write_errors(trainer).events:
            values["write_errors"] = write_errors(trainer).events
        if trainer is not None and (found := findings(trainer)):
            values["health"] = found
            notes += [
                f"health: {one['name']} from {one['examples']:,} examples: {one['says']}" for one in found
            ]
        try:
            folder.write_status(**values)
        except OSError as error:
            notes.append(f"status.json could not be written ({error})")
            code = code or 1
    return Outcome(folder, state, code, metrics, notes)


def _saved(made: _Made, trainer: pl.Trainer | None, resume_plan: ResumePlan | None) -> bool:
    """Whether a checkpoint of the state that the run ended in is on the disk (or none was asked for)."""
    asked = any(isinstance(callback, Checkpoint) for callback in made.callbacks)
    if not asked or made.options.fast_dev_run or not is_first_rank() or trainer is None:
        return True
    newest = getattr(trainer, "ganvas_checkpoint", resume_plan.examples_seen if resume_plan else 0)
    return bool(newest == made.model.examples_seen)


def is_first_rank() -> bool:
    """Whether this process writes the run's folder."""
    return find_rank().is_first


def _channels_last() -> Any:
    import torch

    return torch.channels_last


def _failed(folder: RunFolder, error: BaseException, group: Group) -> BaseException:
    """Notes in train.log and status.json why the run failed; returns the error that did it."""
    log.error("%s", "".join(traceback.format_exception(error)))
    error = group.blame(error)
    if is_first_rank():
        try:
            kind = "" if isinstance(error, RankError) else f"{type(error).__name__}: "
            folder.write_status(state="failed", error=f"{kind}{error}")
        except OSError as full:
            log.error("status.json could not be written (%s)", full)
    return error

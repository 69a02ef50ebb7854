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
from ganvas.callback.evaluation import Evaluation, best_figures
from ganvas.callback.health import findings
from ganvas.callback.rows import read_rows
from ganvas.callback.trouble import troubles
from ganvas.errors import NonFiniteError, OptionError, RankError, RollbackError
from ganvas.model.recipe import Recipe
from ganvas.runtime.build import build, check_targets
from ganvas.runtime.continuation import Continuation, check_seen_by_all
from ganvas.runtime.drift import environment
from ganvas.runtime.group import TIMEOUT, Group
from ganvas.runtime.lifeline import Lifeline, MakeUp
from ganvas.runtime.lock import RunLock
from ganvas.runtime.optimized import check_optimized, optimized
from ganvas.runtime.outcome import Outcome
from ganvas.runtime.prepare import named, prepare
from ganvas.runtime.ranks import find_place
from ganvas.runtime.run_folder import RunFolder, check_writable, create
from ganvas.runtime.started import open_group
from ganvas.runtime.train_log import train_log
from ganvas.runtime.trainer import (
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
        listener: see :class:`ganvas.runtime.group.Group`.

    Raises:
        OptionError: before anything is written.
        NonFiniteError: the numbers diverged; status.json says so, and the last checkpoint is whole.
        RankError: another rank ended the run.
    """
    place, accelerator = find_place(), run["config"]["accelerator"]
    place.check(accelerator)
    if accelerator.get("devices") == "auto" and place.launcher is not None:
        accelerator["devices"] = place.local_world
    with Group(place, timeout=_timeout(accelerator), listener=listener) as group:
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
    folder, first_rank = RunFolder(Path(config["paths"]["run_dir"])), group.place.is_first
    with _blamed_on(resume):
        made = group.in_turn(lambda: _make(config))
    if resume is None and first_rank:
        below = folder.path.is_relative_to(config["paths"]["output_dir"])
        check_writable(folder.path, "paths.output_dir" if below else "paths.run_dir")
        world = environment(made.data, processes(made.machine))
        create(folder.path, run | {"ganvas": run["ganvas"] | {"environment": world}})
    with RunLock(folder.path) if first_rank else nullcontext():
        group.owns(folder)
        continuation = None
        if resume is not None:
            continuation = group.in_turn(lambda: _continue(made, run, folder, overrides))
            check_seen_by_all(continuation, group)
            if group.place.restart:
                continuation.news.append(f"going on at restart {group.place.restart} of torchrun's")
        if continuation is not None and continuation.finished and _nothing_left(made, continuation):
            figures = folder.read_status().get("figures") or {}
            note = "it was finished already; a larger trainer.max_images=... would go on"
            return Outcome(folder, "finished", 0, figures, [note])
        while True:
            try:
                return _live(made, run, folder, continuation, group)
            except RollbackError as error:
                number = made.model.rollbacks + 1
                if number > made.options.max_rollbacks:
                    text = f"the run went back {number - 1} times (trainer.max_rollbacks); {error}"
                    raise _failed(folder, NonFiniteError(error.term, text), group) from error
                made = _make(config)
                made.model.rollbacks = number
                continuation = group.in_turn(lambda: Continuation.find(folder))
                continuation.news.append(f"rollback {number}: {error}")
                continuation.check(made.model, made.machine.precision)
                check_seen_by_all(continuation, group)


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


def _make(config: dict[str, Any]) -> _Made:
    data, model, options, machine = prepare(config)
    nodes = (config.get("callback") or {}).items()
    callbacks = [one for name, node in nodes if (one := build(node, f"callback.{name}")) is not None]
    for callback in callbacks:
        if isinstance(callback, Evaluation):
            with named("callback.evaluation"):
                callback.check(data, model)
    # A checkpoint comes after everything else that its batch brings.
    callbacks.sort(key=lambda callback: isinstance(callback, Checkpoint))
    nodes = (config.get("logger") or {}).items()
    loggers = [one for name, node in nodes if (one := build(node, f"logger.{name}")) is not None]
    return _Made(config, data, model, options, machine, callbacks, loggers)


def _continue(made: _Made, run: dict[str, Any], folder: RunFolder, overrides: Sequence[str]) -> Continuation:
    continuation = Continuation.find(folder, overrides)
    continuation.check(made.model, made.machine.precision)
    world = environment(made.data, processes(made.machine))
    continuation.compare(made.config, world, old=folder.read_run())
    if continuation.drift:
        run["ganvas"]["environment"] = world
    return continuation


def _nothing_left(made: _Made, continuation: Continuation) -> bool:
    batches = budget_batches(made.options, made.data.batch_size, made.data.num_samples("train"))
    return batches is not None and continuation.batches_seen >= batches


def _live(
    made: _Made, run: dict[str, Any], folder: RunFolder, continuation: Continuation | None, group: Group
) -> Outcome:
    """Trains once, to the end, a stop or a failure."""
    began = time.monotonic()
    first_rank = group.place.is_first
    lifeline = Lifeline(folder, max_seconds=made.options.max_seconds, is_handed_on=not group.is_alone)
    lifeline.is_finals_due = continuation is not None and not continuation.finished
    trainer: pl.Trainer | None = None
    restore = lifeline.handle_signals()
    try:
        with train_log(folder.path / "train.log" if first_rank else None):
            if first_rank:
                if continuation is not None:
                    continuation.begin(run)
                folder.write_status(state="running", error=None, rollbacks=made.model.rollbacks)
            try:
                trainer = _fit(made, folder, lifeline, continuation, group)
            except RollbackError:
                raise
            except (KeyboardInterrupt, SystemExit):
                # Lightning turns a KeyboardInterrupt inside fit into an exit.
                lifeline.signal = lifeline.signal or signal.SIGINT
            except BaseException as error:
                raise _failed(folder, error, group) from None
    finally:
        restore()
    return _end(made, folder, lifeline, trainer, continuation, time.monotonic() - began)


def _fit(
    made: _Made, folder: RunFolder, lifeline: Lifeline, continuation: Continuation | None, group: Group
) -> pl.Trainer:
    model, data, options, machine = made.model, made.data, made.options, made.machine
    trainer = make_trainer(
        options, machine, batch_size=data.batch_size, train_samples=data.num_samples("train"),
        has_validation=data.num_samples("val") > 0, callbacks=[lifeline, *made.callbacks, MakeUp(lifeline)],
        loggers=made.loggers, run_dir=str(folder.path), place=group.place,
    )  # fmt: skip
    open_group(group, trainer, machine.process_group_backend)
    model.log_every(options.log_every_images, data.batch_size)
    model.guard_by(options.non_finite, options.max_skips)
    for network in model.networks.values():
        if machine.channels_last:
            network.to(memory_format=_channels_last())  # type: ignore[call-overload]
        if machine.compile:
            network.compile()
    checkpoint = continuation.checkpoint if continuation is not None else None
    targets = made.config["model"]["_target_"], made.config["data"]["_target_"]
    log.info(
        "%s on %s, folder %s, from %s", *targets, folder.path, checkpoint.name if checkpoint else "the start"
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint and str(checkpoint), weights_only=True)
    return trainer


def _end(
    made: _Made, folder: RunFolder, lifeline: Lifeline, trainer: pl.Trainer | None,
    continuation: Continuation | None, seconds: float,
) -> Outcome:  # fmt: skip
    """Last words: status.json and what the shell gets."""
    model, notes = made.model, []
    # A resumed run with nothing left to train keeps the figures that it has.
    figures = model.figures or folder.read_status().get("figures") or {}
    state, code = "finished", 0
    if lifeline.signal is not None:
        state, code = "interrupted", 128 + lifeline.signal
    saved = _saved(made, trainer, continuation)
    if not saved:
        notes.append(f"the state after {model.images_seen} images could not be written; see status.json")
        code = code or 1
        state = "failed" if state == "finished" else state
    if is_first_rank():
        values: dict[str, Any] = {"state": state, "images_seen": model.images_seen}
        if state == "finished":
            values |= {"figures": figures, "seconds": round(seconds, 1)}
        if best := best_figures(read_rows(folder.path / "evaluations.jsonl")):
            values["best"] = best
        if (chosen := optimized(folder.path, made.config)) is not None:
            values["optimized"] = chosen
            for one in (chosen, *chosen.get("also", ())):
                if one["value"] is None:
                    names = ", ".join(one["reported"])
                    notes.append(f"optimized_metric={one['metric']} was never reported; there are: {names}")
        if not saved:
            values["error"] = notes[-1]
        if trainer is not None and troubles(trainer).events:
            values["troubles"] = troubles(trainer).events
        if trainer is not None and (found := findings(trainer)):
            values["health"] = found
            notes += [f"health: {one['name']} from {one['images']:,} images: {one['says']}" for one in found]
        try:
            folder.write_status(**values)
        except OSError as error:
            notes.append(f"status.json could not be written ({error})")
            code = code or 1
    return Outcome(folder, state, code, figures, notes)


def _saved(made: _Made, trainer: pl.Trainer | None, continuation: Continuation | None) -> bool:
    """Whether a checkpoint of the state that the run ended in is on the disk (or none was asked for)."""
    asked = any(isinstance(callback, Checkpoint) for callback in made.callbacks)
    if not asked or made.options.fast_dev_run or not is_first_rank() or trainer is None:
        return True
    newest = getattr(trainer, "ganvas_checkpoint", continuation.images_seen if continuation else 0)
    return bool(newest == made.model.images_seen)


def is_first_rank() -> bool:
    """Whether this process writes the run's folder."""
    return find_place().is_first


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

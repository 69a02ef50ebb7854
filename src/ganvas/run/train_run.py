"""One run from its config to its end: data, model, folder, training, last words."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Agenda
from ganvas.callback.checkpoint import Checkpoint
from ganvas.callback.early_stopping import EarlyStopping
from ganvas.callback.run_state import RunState, give_state
from ganvas.callback.says_folder import SaysFolder
from ganvas.errors import NonFiniteError, OptionError, RollbackError
from ganvas.run.checkpoint.drift import environment
from ganvas.run.checkpoint.resume_plan import ResumePlan, check_seen_by_all
from ganvas.run.config.budget import beyond_budget
from ganvas.run.config.build import check_targets
from ganvas.run.config.optimized import check_optimized
from ganvas.run.deferred_validation import DeferredValidation
from ganvas.run.distributed.external_environment import open_group
from ganvas.run.distributed.group import TIMEOUT, Group
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.ending.misconfigured import forget, misconfigured
from ganvas.run.ending.resume_at_end import ResumeAtEnd
from ganvas.run.ending.run_end import end_run, record_failure
from ganvas.run.ending.stop_on_signal import StopOnSignal
from ganvas.run.folder.journal import Journal
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.run_folder import RunFolder, check_writable, create
from ganvas.run.folder.train_log import data_notes, train_log
from ganvas.run.init_from import begin_with_other
from ganvas.run.outcome import Outcome
from ganvas.run.parts import Parts, build_parts
from ganvas.run.prepare import abilities_of, configure
from ganvas.run.status_writer import StatusWriter
from ganvas.run.trainer import (
    budget_batches,
    make_trainer,
    processes,
    total_examples,
)

log = logging.getLogger("ganvas")
_NOTHING_KEPT = (
    "no callback writes checkpoints: this run keeps no weights and cannot be resumed; leave "
    "callback.checkpoint in, or choose callback=minimal"
)


def train(
    run: dict[str, Any],
    *,
    resume: RunFolder | None = None,
    overrides: Sequence[str] = (),
    listener: int | None = None,
    quiet: bool = False,
) -> Outcome:
    """Trains what ``run["config"]`` describes, in a new folder or from the newest checkpoint of ``resume``.

    Where the numbers diverge and the policy is ``rollback``, it begins again at the newest checkpoint, with
    other draws and other data. A process that a launcher started is one rank of the run.

    Args:
        run: ``config`` (plain values, ``paths.run_dir`` set) and ``ganvas`` (provenance), as in run.yaml.
        resume: the run to continue, in its own folder.
        overrides: what its resumption changes, for the record; they are in ``config`` already.
        listener: see :class:`ganvas.run.distributed.group.Group`.
        quiet: whether it is not said where the run lies.

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
        return _train(run, resume, overrides, group, quiet=quiet)


def _timeout(accelerator: dict[str, Any]) -> float:
    """Before the options are checked, each by its name."""
    value = accelerator.get("timeout")
    return float(value) if isinstance(value, int | float) and value > 0 else TIMEOUT


def _train(
    run: dict[str, Any], resume: RunFolder | None, overrides: Sequence[str], group: Group, *, quiet: bool
) -> Outcome:
    """Builds the parts, opens the run's folder, and trains until no rollback asks for another beginning."""
    config = run["config"]
    folder, first_rank = RunFolder(Path(config["paths"]["run_dir"])), group.info.is_first
    with _blamed_on(resume), data_notes() if first_rank else nullcontext():
        parts = group.in_turn(lambda: build_parts(config))
    if resume is None:
        taken = _begin(parts, group)
        if first_rank:
            _create_folder(folder, run | {"ganvas": run["ganvas"] | taken}, parts)
    with RunLock(folder.path) if first_rank else nullcontext():
        group.owns(folder)
        resume_plan = None
        if resume is not None:
            resume_plan = group.in_turn(lambda: _continue(parts, run, folder, overrides))
            check_seen_by_all(resume_plan, group)
            if resume_plan.checkpoint is None:
                _begin(parts, group)
            if group.info.restart:
                resume_plan.news.append(f"going on at restart {group.info.restart} of torchrun's")
            larger = _what_would_go_on(parts, resume_plan, folder)
            if resume_plan.finished and larger is not None:
                if first_rank and (overrides or resume_plan.is_left_off):
                    resume_plan.begin(run)  # they are the run's from now on: where its data lie, say
                    folder.write_status(state="finished", examples_seen=resume_plan.examples_seen, error=None)
                metrics = folder.read_status().get("metrics") or {}
                note = f"it was finished already; a larger {larger}=... would go on"
                return Outcome(folder, "finished", 0, metrics, [note])
        says = [] if quiet or not first_rank else [SaysFolder(folder.path)]
        while True:
            try:
                return _train_once(parts, run, folder, resume_plan, group, says)
            except RollbackError as error:
                parts, resume_plan = _roll_back(parts, error, folder, group)


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


def _begin(parts: Parts, group: Group) -> dict[str, Any]:
    """Gives a run that has no checkpoint yet another one's weights, where it is asked to; for its record."""
    taken = begin_with_other(parts.model, parts.config, group)
    if taken is None:
        return {}
    parts.begins_with = f"the weights of {taken['checkpoint']}"
    return {"init_from": taken}


def _create_folder(folder: RunFolder, run: dict[str, Any], parts: Parts) -> None:
    paths = parts.config["paths"]
    below = folder.path.is_relative_to(paths["output_dir"])
    check_writable(folder.path, "paths.output_dir" if below else "paths.run_dir")
    world = environment(parts.data, processes(parts.machine), parts.model.rests_on())
    record = run | {"ganvas": run["ganvas"] | {"environment": world}}
    tokenizer = getattr(parts.data, "tokenizer", None)
    create(
        folder.path,
        record,
        abilities=abilities_of(parts.model),
        tokenizer=None if tokenizer is None else (RunFolder(Path(tokenizer.place)), tokenizer.sha256),
    )


def _continue(parts: Parts, run: dict[str, Any], folder: RunFolder, overrides: Sequence[str]) -> ResumePlan:
    resume_plan = ResumePlan.find(folder, overrides)
    _check(resume_plan, parts, folder)
    world = environment(parts.data, processes(parts.machine), parts.model.rests_on())
    resume_plan.compare(parts.config, world, old=folder.read_run())
    if resume_plan.drift:
        run["ganvas"]["environment"] = world
    return resume_plan


def _check(resume_plan: ResumePlan, parts: Parts, folder: RunFolder) -> None:
    """Raises OptionError where the checkpoint is not one that these parts, and the run's own, go on from."""
    own = StopOnSignal(folder, DeferredValidation())
    resume_plan.check(parts.model, parts.machine.precision, [own, *parts.callbacks])


def _what_would_go_on(parts: Parts, resume_plan: ResumePlan, folder: RunFolder) -> str | None:
    """The option that ended the run at its checkpoint; None where it would go on as it is."""
    batches = budget_batches(parts.options, parts.data.batch_size, parts.data.num_samples("train"))
    if batches is not None and resume_plan.batches_seen >= batches:
        return "trainer.max_examples"
    early = folder.read_status().get("stopped_early")
    waited = early.get("waited") if isinstance(early, dict) else None
    stops = [one for one in parts.callbacks if isinstance(one, EarlyStopping)]
    over = isinstance(waited, int) and any(one.ends_after(waited) for one in stops)
    return "callback.early_stopping.patience_examples" if over else None


def _roll_back(
    parts: Parts, error: RollbackError, folder: RunFolder, group: Group
) -> tuple[Parts, ResumePlan]:
    """Parts built anew, and the newest checkpoint to go on from.

    Raises:
        NonFiniteError: the run went back as often as it may.
    """
    number = parts.model.rollbacks + 1
    if number > parts.options.max_rollbacks:
        text = f"the run went back {number - 1} times (trainer.max_rollbacks); {error}"
        raise record_failure(folder, NonFiniteError(error.term, text), group) from error
    parts = build_parts(parts.config)
    parts.model.rollbacks = number
    resume_plan = group.in_turn(lambda: ResumePlan.find(folder))
    resume_plan.news.append(f"rollback {number}: {error}")
    _check(resume_plan, parts, folder)
    check_seen_by_all(resume_plan, group)
    if resume_plan.checkpoint is None:
        _begin(parts, group)
    return parts, resume_plan


def _train_once(
    parts: Parts,
    run: dict[str, Any],
    folder: RunFolder,
    resume_plan: ResumePlan | None,
    group: Group,
    says: Sequence[pl.Callback],
) -> Outcome:
    """Trains to the end, a stop or a failure.

    Raises:
        RollbackError: training shall begin again at the newest checkpoint.
    """
    began_at = time.monotonic()
    first_rank, options, data = group.info.is_first, parts.options, parts.data
    state = RunState(
        max_examples=total_examples(
            options, batch_size=data.batch_size, train_samples=data.num_samples("train")
        ),
        newest_checkpoint=resume_plan.examples_seen if resume_plan is not None else 0,
    )
    deferred = DeferredValidation()
    stop = StopOnSignal(folder, deferred, max_seconds=options.max_seconds, is_handed_on=not group.is_alone)
    is_unfinished = resume_plan is not None and not resume_plan.finished
    ours = [ResumeAtEnd(is_unfinished=is_unfinished), stop, StatusWriter(folder), Journal(folder.path)]
    callbacks = [*ours, *parts.callbacks, *says, deferred]
    give_state(callbacks, state)
    is_saved = True
    restore_handlers = stop.handle_signals()
    try:
        with train_log(folder.path / "train.log" if first_rank else None):
            if first_rank:
                for note in getattr(parts.data, "notes", ()):
                    log.info("%s", note)
                if resume_plan is not None:
                    resume_plan.begin(run)
                if not any(isinstance(callback, Checkpoint) for callback in parts.callbacks):
                    log.warning(_NOTHING_KEPT)
                folder.write_status(state="running", error=None, rollbacks=parts.model.rollbacks)
                if not parts.model.rollbacks:
                    late = beyond_budget(parts.model, parts.callbacks, data, options)
                    for line in [*parts.model.remarks(), *late]:
                        log.warning("%s", line)
            try:
                _fit(parts, callbacks, state, folder, resume_plan, group)
                for logger in parts.loggers:
                    if hasattr(logger, "check"):  # what a tracker lost while it was closed
                        with state.tolerate_write_errors(type(logger).__name__):
                            logger.check()
                is_saved = _is_saved(parts, state)
            except RollbackError:
                raise
            except (KeyboardInterrupt, SystemExit):
                # Lightning turns a KeyboardInterrupt inside fit into an exit.
                stop.signal = stop.signal or signal.SIGINT
            except BaseException as error:
                raise _failure(error, parts, folder, resume_plan, group) from None
    finally:
        restore_handlers()
    seconds = time.monotonic() - began_at
    return end_run(
        folder, parts.config, parts.model, state, stopped_by=stop.signal, is_saved=is_saved, seconds=seconds
    )


def _failure(
    error: BaseException, parts: Parts, folder: RunFolder, resume_plan: ResumePlan | None, group: Group
) -> BaseException:
    """Notes why the run failed, or forgets one that never began; returns the error to end with."""
    option = None
    if isinstance(error, Exception):
        started = resume_plan.examples_seen if resume_plan is not None else 0
        has_trained = parts.model.examples_seen > started
        built = [*parts.callbacks, *parts.loggers]
        option = misconfigured(error, parts.config, built, has_trained=has_trained)
        if option is not None and resume_plan is None and not has_trained:
            if group.info.is_first:
                forget(folder)
            return option
    failure = record_failure(folder, error, group)
    return option or failure


def _fit(
    parts: Parts,
    callbacks: list[pl.Callback],
    state: RunState,
    folder: RunFolder,
    resume_plan: ResumePlan | None,
    group: Group,
) -> None:
    model, data, options, machine = parts.model, parts.data, parts.options, parts.machine
    trainer = make_trainer(
        options,
        machine,
        batch_size=data.batch_size,
        train_samples=data.num_samples("train"),
        has_validation=data.num_samples("val") > 0,
        callbacks=callbacks,
        loggers=parts.loggers,
        run_dir=str(folder.path),
        info=group.info,
    )
    open_group(group, trainer, machine.process_group_backend)
    batches = budget_batches(options, data.batch_size, data.num_samples("train"))
    configure(model, options, machine, batch_size=data.batch_size, batches=batches)
    model.agenda = state.agenda = Agenda(callbacks)
    checkpoint = resume_plan.checkpoint if resume_plan is not None else None
    targets = parts.config["model"]["_target_"], parts.config["data"]["_target_"]
    log.info(
        "%s on %s, folder %s, from %s",
        *targets,
        folder.path,
        checkpoint.name if checkpoint else parts.begins_with,
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint and str(checkpoint), weights_only=True)


def _is_saved(parts: Parts, state: RunState) -> bool:
    """Whether a checkpoint of the state that the run ended in is on the disk (or none was asked for)."""
    asked = any(isinstance(callback, Checkpoint) for callback in parts.callbacks)
    if not asked or parts.options.fast_dev_run or not find_rank().is_first:
        return True
    return bool(state.newest_checkpoint == parts.model.examples_seen)

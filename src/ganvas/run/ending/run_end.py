"""A run's end: what status.json says of it, and what the shell gets."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from ganvas.callback.evaluation import best_metrics
from ganvas.callback.run_state import RunState
from ganvas.callback.writing.rows import read_rows
from ganvas.errors import RankError
from ganvas.functional.memory import memory_error
from ganvas.model.training.recipe import Recipe
from ganvas.run.config.optimized import optimized
from ganvas.run.distributed.group import Group
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.journal import note_end
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.short_protocol import protocols_of_run
from ganvas.run.outcome import Outcome
from ganvas.run.status_writer import status_values

log = logging.getLogger("ganvas")

_HOW_FOR_MEMORY = (
    "take a smaller data.batch_size, more trainer.micro_batches, or smaller images and networks, and resume"
)


def end_run(
    folder: RunFolder,
    config: dict[str, Any],
    model: Recipe,
    state: RunState,
    *,
    stopped_by: int | None,
    is_saved: bool,
    seconds: float,
) -> Outcome:
    """Writes the last status.json (the first rank does) of a run that finished or was stopped.

    Args:
        stopped_by: the signal that stopped it; None: it finished.
        is_saved: a checkpoint of its last state is on the disk, or none was asked for.
        seconds: how long it trained in this process.
    """
    # A resumed run with nothing left to train keeps the metrics that it has.
    metrics = model.metrics or folder.read_status().get("metrics") or {}
    word, code = ("finished", 0) if stopped_by is None else ("interrupted", 128 + stopped_by)
    values: dict[str, Any] = {}
    notes: list[str] = []
    if not is_saved:
        notes.append(f"the state after {model.examples_seen} examples could not be written; see status.json")
        values["error"] = notes[-1]
        word, code = ("failed" if word == "finished" else word), (code or 1)
    if find_rank().is_first:
        values |= {"state": word, "examples_seen": model.examples_seen}
        if word == "finished":
            told = protocols_of_run(read_rows(folder.path / "evaluations.jsonl"))
            values |= {"metrics": metrics, "protocols": told, "seconds": round(seconds, 1)}
            values |= note_end(folder.path, model.examples_seen)
        best, missing = _best(folder, config)
        values |= best | status_values(state) | {"stopped_early": state.stopped_early}
        notes += missing
        notes += [f"stopped early: {state.stopped_early['says']}"] if state.stopped_early else []
        notes += [
            f"health: {one['name']} from {one['examples']:,} examples: {one['says']}"
            for one in state.findings
        ]
        try:
            folder.write_status(**values)
        except OSError as error:
            notes.append(f"status.json could not be written ({error})")
            code = code or 1
    return Outcome(folder, word, code, metrics, notes)


def _best(folder: RunFolder, config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """status.json's ``best`` and ``optimized``, where there are any; a note for a metric never reported."""
    values: dict[str, Any] = {}
    notes = []
    if best := best_metrics(read_rows(folder.path / "evaluations.jsonl")):
        values["best"] = best
    if (chosen := optimized(folder.path, config)) is not None:
        values["optimized"] = chosen
        for one in (chosen, *chosen.get("also", ())):
            if one["value"] is None:
                names = ", ".join(one["reported"])
                notes.append(f"optimized_metric={one['metric']} was never reported; there are: {names}")
    return values, notes


def record_failure(folder: RunFolder, error: BaseException, group: Group) -> BaseException:
    """Notes in train.log and status.json why the run failed; returns the error that did it."""
    log.error("%s", "".join(traceback.format_exception(error)))
    error = group.blame(memory_error(error, _HOW_FOR_MEMORY) or error)
    if find_rank().is_first:
        try:
            kind = "" if isinstance(error, RankError) else f"{type(error).__name__}: "
            folder.write_status(state="failed", error=f"{kind}{error}")
        except OSError as full:
            log.error("status.json could not be written (%s)", full)
    return error

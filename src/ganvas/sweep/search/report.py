"""What a search found: every trial as a table, what mattered, how it went; for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import write_text
from ganvas.sweep.search.plots import draw_history, draw_importances
from ganvas.sweep.search.study_handle import RETRY_OF, Objective, StudyHandle

FOLDER = "search"  # in the sweep's folder
_FEWEST = 4  # complete trials that say something of importance: the best two of them against all


def write_report(handle: StudyHandle, folder: Path) -> list[str]:
    """Writes search/trials.csv, search.json and, where matplotlib is there, history.png and importance.png.

    Args:
        folder: the sweep's.

    Returns:
        lines for the terminal.
    """
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    found = summary(handle)
    write_text(place / "trials.csv", _csv(rows(handle)))
    write_text(place / "search.json", json.dumps(found, indent=1) + "\n")
    said = [_counted(found), *_best_lines(handle, found)]
    said += [f"trial {one.number} failed: {one.user_attrs.get('error', 'no reason is known')}"
             for one in _told(handle) if one.state == TrialState.FAIL][:5]  # fmt: skip
    try:
        draw_history(found, place / "history.png")
        draw_importances(found, place / "importance.png")
        said.append(f"images and tables: {place}")
    except OptionError as error:
        said.append(f"tables: {place}; images need an extra ({error.reason})")
    return said


def summary(handle: StudyHandle) -> dict[str, Any]:
    """The study as plain values.

    Returns:
        ``study``; ``objectives``; ``trials``: state -> how many; ``history``: for each trial ``number``,
        ``state``, ``values`` (a pruned one's last) and ``best``, the best values so far; ``best``: the best
        trial, of several objectives every one that no other beats in all, ``number``, ``values``, ``params``,
        ``overrides``, ``jobs``, ``sweep``, ``host``; ``importance``: metric -> key -> share, empty where it
        is not known.
    """
    told = _told(handle)
    states = [one.state.name.lower() for one in told]
    return {
        "study": handle.name,
        "objectives": [{"metric": one.metric, "mode": one.mode} for one in handle.objectives],
        "trials": {state: states.count(state) for state in dict.fromkeys(sorted(states))},
        "history": _history(told, handle.objectives),
        "best": [_described(one) for one in best_trials(handle)],
        "importance": {one.metric: importance(handle, place) for place, one in enumerate(handle.objectives)},
    }


def best_trials(handle: StudyHandle) -> list[FrozenTrial]:
    """The best complete trial, the earliest of equal ones; of several objectives those that none beats."""
    if len(handle.objectives) > 1:
        return list(handle.study().best_trials)
    complete = [one for one in handle.every() if one.state == TrialState.COMPLETE]
    sign = handle.objectives[0].sign
    return [min(complete, key=lambda one: sign * (one.value or 0.0))] if complete else []


def importance(handle: StudyHandle, place: int) -> dict[str, float]:
    """Key -> its share in reaching the best tenth (PED-ANOVA, Watanabe 2023), the largest first.

    Empty for fewer than four complete trials, and where nothing tells them apart.
    """
    sign = handle.objectives[place].sign
    complete = [one for one in handle.every() if one.state == TrialState.COMPLETE]
    if len(complete) < _FEWEST or len({one.values[place] for one in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_param_importances(
            handle.study(),
            evaluator=PedAnovaImportanceEvaluator(),
            target=lambda one: sign * one.values[place],
        )
    return {name: float(share) for name, share in sorted(found.items(), key=lambda pair: -pair[1])}


def failed(handle: StudyHandle, owner: str) -> list[int]:
    """The numbers of an owner's trials that failed, and were not tried again since."""
    return [one.number for one in _told(handle)
            if one.state == TrialState.FAIL and one.user_attrs.get("sweep") == owner]  # fmt: skip


def rows(handle: StudyHandle) -> list[dict[str, Any]]:
    """One line for each trial."""
    answer = []
    for one in _told(handle):
        values = one.values if one.state == TrialState.COMPLETE else None
        metrics = [objective.metric for objective in handle.objectives]
        seconds = one.duration.total_seconds() if one.duration is not None else ""
        answer.append({
            "trial": one.number, "state": one.state.name.lower(),
            **dict(zip(metrics, values or [""] * len(metrics))), **one.params,
            "repeats": len(one.user_attrs.get("repeats", ())) or "", "seconds": seconds,
            "jobs": " ".join(one.user_attrs.get("jobs", ())), "host": one.user_attrs.get("host", ""),
            "error": one.user_attrs.get("error", ""),
        })  # fmt: skip
    return answer


def _told(handle: StudyHandle) -> list[FrozenTrial]:
    """The trials, each as it was tried last."""
    again = {one.user_attrs.get(RETRY_OF) for one in handle.every()}
    return [one for one in handle.every() if one.number not in again]


def _history(told: Sequence[FrozenTrial], objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    best: list[float | None] = [None] * len(objectives)
    answer = []
    for one in told:
        if one.state == TrialState.COMPLETE:
            for place, (value, objective) in enumerate(zip(one.values, objectives, strict=True)):
                old = best[place]
                if old is None or objective.sign * value < objective.sign * old:
                    best[place] = value
        answer.append({"number": one.number, "state": one.state.name.lower(),
                       "values": one.values, "best": list(best)})  # fmt: skip
    return answer


def _described(one: FrozenTrial) -> dict[str, Any]:
    kept = {name: one.user_attrs.get(name) for name in ("overrides", "jobs", "repeats", "sweep", "host")}
    return {"number": one.number, "values": one.values, "params": one.params, **kept}


def _counted(found: dict[str, Any]) -> str:
    tally = ", ".join(f"{number} {state}" for state, number in found["trials"].items())
    return f"study {found['study']}: {sum(found['trials'].values())} trials: {tally}"


def _best_lines(handle: StudyHandle, found: dict[str, Any]) -> list[str]:
    lines = []
    for one in found["best"][:5]:
        pairs = zip(handle.objectives, one["values"], strict=True)
        values = ", ".join(f"{objective.metric} {value:.6g}" for objective, value in pairs)
        lines.append(f"best trial: {one['number']} ({' '.join(one['overrides'] or [])}), {values}")
    if len(found["best"]) > 5:
        lines.append(f"and {len(found['best']) - 5} more that none beats in everything (search.json)")
    for metric, shares in found["importance"].items():
        if shares:
            told = ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:5])
            lines.append(f"what mattered for {metric}: {told}")
    return lines


def _csv(table: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    names = dict.fromkeys(name for row in table for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names), restval="")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()

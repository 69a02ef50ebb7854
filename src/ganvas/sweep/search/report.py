"""What a search found: every trial as a table, what mattered, how it went; for people and for programs."""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from ganvas.errors import OutputError
from ganvas.files.write import write_bytes, write_text
from ganvas.functional.cache import cache_dir
from ganvas.sweep.search.search_spec import Objective
from ganvas.sweep.search.study_handle import RETRY_OF, StudyHandle
from ganvas.sweep.summary import write_table

FOLDER = "search"  # in the sweep's folder
_FEWEST = 4  # complete trials that say something of importance: the best two of them against all


def report_lines(handle: StudyHandle) -> list[str]:
    """What the study found, for a terminal."""
    found = summary(handle)
    failures = [one for one in _told(handle) if one.state == TrialState.FAIL]
    return [
        _counted(found),
        *_best_lines(handle, found),
        *(
            f"trial {one.number} failed: {one.user_attrs.get('error', 'no reason is known')}"
            for one in failures[:5]
        ),
    ]


def write_report(handle: StudyHandle, folder: Path) -> str:
    """Writes search/trials.csv, search.json and, where matplotlib is there, history.png and importance.png.

    Args:
        folder: the sweep's.

    Returns:
        a line for a terminal, where they are.

    Raises:
        OutputError: ``SWEEP``: a file cannot be written.
    """
    place, found = folder / FOLDER, summary(handle)
    try:
        place.mkdir(exist_ok=True)
        write_table(place / "trials.csv", rows(handle), hidden=())
        write_text(place / "search.json", json.dumps(found, indent=1) + "\n")
        drawn = _draw(handle, found, place)
    except OSError as error:
        raise OutputError("SWEEP", place, error, "make room; ganvas sweep best writes it again") from error
    extra = f"tables: {place}; images need an extra (pip install 'ganvas[plot]')"
    return f"images and tables: {place}" if drawn else extra


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
        "study": handle.spec.study,
        "objectives": [one._asdict() for one in handle.spec.objectives],
        "trials": {state: states.count(state) for state in dict.fromkeys(sorted(states))},
        "history": _history(told, handle.spec.objectives),
        "best": [_described(one) for one in best_trials(handle)],
        "importance": {
            one.metric: importance(handle, place) for place, one in enumerate(handle.spec.objectives)
        },
    }


def best_trials(handle: StudyHandle) -> list[FrozenTrial]:
    """The best complete trial, the earliest of equal ones; of several objectives those that none beats."""
    found = sorted(handle.study().best_trials, key=lambda one: one.number)
    return found if len(handle.spec.objectives) > 1 else found[:1]


def importance(handle: StudyHandle, place: int) -> dict[str, float]:
    """Key -> its share in reaching the best tenth (PED-ANOVA, Watanabe 2023), the largest first.

    Empty for fewer than four complete trials, and where nothing tells them apart.
    """
    complete = [one for one in handle.every() if one.state == TrialState.COMPLETE]
    if len(complete) < _FEWEST or len({one.values[place] for one in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_param_importances(
            handle.study(),
            evaluator=PedAnovaImportanceEvaluator(),
            target=_value(place, handle.spec.objectives[place].sign),
        )
    return {name: float(share) for name, share in sorted(found.items(), key=lambda pair: -pair[1])}


def failed(handle: StudyHandle) -> list[int]:
    """The numbers of this sweep's trials that failed, and were not tried again since."""
    own = {one.number for one in handle.own(TrialState.FAIL)}
    return [one.number for one in _told(handle) if one.number in own]


def rows(handle: StudyHandle) -> list[dict[str, Any]]:
    """One line for each trial."""
    answer = []
    for one in _told(handle):
        values = one.values if one.state == TrialState.COMPLETE else None
        metrics = [objective.metric for objective in handle.spec.objectives]
        seconds = one.duration.total_seconds() if one.duration is not None else ""
        answer.append(
            {
                "trial": one.number,
                "state": one.state.name.lower(),
                **dict(zip(metrics, values or [""] * len(metrics))),
                **one.params,
                "repeats": len(one.user_attrs.get("repeats", ())) or "",
                "seconds": seconds,
                "jobs": " ".join(one.user_attrs.get("jobs", ())),
                "host": one.user_attrs.get("host", ""),
                "error": one.user_attrs.get("error", ""),
            }
        )
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
        answer.append(
            {"number": one.number, "state": one.state.name.lower(), "values": one.values, "best": list(best)}
        )
    return answer


def _described(one: FrozenTrial) -> dict[str, Any]:
    kept = {name: one.user_attrs.get(name) for name in ("overrides", "jobs", "repeats", "sweep", "host")}
    return {"number": one.number, "values": one.values, "params": one.params, **kept}


def _draw(handle: StudyHandle, found: dict[str, Any], place: Path) -> bool:
    """Optuna's images, of a second objective history1.png and importance1.png, and so on.

    Returns:
        whether matplotlib is there to draw them.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(cache_dir() / "matplotlib"))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it builds its list of fonts is no news
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its images experimental
        from optuna.visualization import matplotlib as plots

        if not plots.is_available():
            return False
        from matplotlib import pyplot

        pyplot.switch_backend("agg")
        # A key is text and never a formula.
        with pyplot.rc_context({"text.parse_math": False, "text.usetex": False}):
            for number, objective in enumerate(handle.spec.objectives):
                file = f"{number or ''}.png"
                target = _value(number) if len(handle.spec.objectives) > 1 else None
                if found["best"]:
                    plots.plot_optimization_history(
                        handle.study(), target=target, target_name=objective.metric
                    )
                    _save(pyplot, place / f"history{file}")
                if found["importance"][objective.metric]:
                    plots.plot_param_importances(
                        handle.study(), target=_value(number, objective.sign), target_name=objective.metric
                    )
                    _save(pyplot, place / f"importance{file}")
            pyplot.close("all")
    return True


def _save(pyplot: Any, path: Path) -> None:
    content = io.BytesIO()
    pyplot.savefig(content, format="png", bbox_inches="tight")
    write_bytes(path, content.getvalue())


def _value(place: int, sign: int = 1) -> Callable[[FrozenTrial], float]:
    return lambda one: sign * one.values[place]


def _counted(found: dict[str, Any]) -> str:
    tally = ", ".join(f"{number} {state}" for state, number in found["trials"].items())
    return f"study {found['study']}: {sum(found['trials'].values())} trials: {tally}"


def _best_lines(handle: StudyHandle, found: dict[str, Any]) -> list[str]:
    lines = []
    for one in found["best"][:5]:
        pairs = zip(handle.spec.objectives, one["values"], strict=True)
        values = ", ".join(f"{objective.metric} {value:.6g}" for objective, value in pairs)
        lines.append(f"best trial: {one['number']} ({' '.join(one['overrides'] or [])}), {values}")
    if len(found["best"]) > 5:
        lines.append(f"and {len(found['best']) - 5} more that none beats in everything (search.json)")
    for metric, shares in found["importance"].items():
        if shares:
            told = ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:5])
            lines.append(f"what mattered for {metric}: {told}")
    return lines

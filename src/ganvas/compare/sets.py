"""Unlike runs: one comparison for each set of runs that share metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ganvas.compare import directions
from ganvas.compare.comparison import Comparison
from ganvas.compare.protocol import check_filters, filtered, key_of
from ganvas.compare.ranking import compare_alike, without_metrics
from ganvas.compare.rows import Row, RunMetrics
from ganvas.errors import OptionError, require


def compare(
    runs: Sequence[RunMetrics],
    *,
    by: str | None = None,
    mode: str | None = None,
    filters: Mapping[str, str] | None = None,
    rank: bool = True,
) -> list[Comparison]:
    """Compares runs: those that share a metric in one table, in the order in which the runs are named.

    Args:
        runs: at least two; without ranks one will do.
        by: the metric that ranks; None takes the first of the usual ones that all runs of a set have.
        mode: ``min`` or ``max``; None takes what is known of the metric.
        filters: values of the protocol to look at alone.
        rank: False shows metrics side by side, whatever the runs have: also those of different protocols,
            a run alone, and runs without metrics.

    Returns:
        At least one. Of several sets one whose protocols differ is not ranked, and says so; a set alone is
        refused.

    Raises:
        OptionError: with ``rank``: ``RUN`` where the protocols of all the runs differ, or under two runs have
            metrics; ``--mode`` where it is not known. Always: ``--by``, ``--mode`` or ``--protocol`` where
            they fit nothing.
    """
    everything = [row for run in runs for row in run.rows]
    check_filters(everything, filters or {})
    if by is not None:
        directions.check_by(by, sorted({name for row in everything for name in row.metrics}))
    rows = {
        key_of(run): [row for row in filtered(run.rows, filters or {}) if by is None or by in row.metrics]
        for run in runs
    }
    judged = [run for run in runs if rows[key_of(run)]]
    lacking = [run for run in runs if not rows[key_of(run)]]
    wanted = (by or "metrics") + (" of this protocol" if filters else "")
    if rank:
        reason = f"have no {wanted}, and a comparison needs 2 runs with them; ganvas evaluate RUN makes them"
        require(len(judged) >= 2, "RUN", " ".join(run.name for run in lacking)[:200], reason)
    sets = _sets(judged, rows) if by is None else [judged]
    several = len(sets) > 1
    require(
        mode is None or not several,
        "--mode",
        mode,
        f"says the direction of one metric, and the runs make {len(sets)} tables; name the metric by --by",
    )
    made = []
    for held in sets if judged else []:
        ranked = rank and (not several or len(held) > 1)
        own = {key_of(run): rows[key_of(run)] for run in held}
        try:
            made.append(compare_alike(held, own, by=by, mode=mode, rank=ranked))
        except OptionError as error:
            if not several or error.option not in ("RUN", "--mode"):
                raise
            made.append(compare_alike(held, own, by=by, mode=mode, rank=False))
            keys = ", ".join(made[-1].differing)
            made[-1].notes.append(
                f"Not ranked: {f'protocols of {made[-1].by} differ in {keys}' if keys else error.reason}."
            )
    if lacking and not rank:
        made.append(without_metrics(lacking, wanted))
    elif lacking:
        why = f"is left out: it has no {wanted}; ganvas evaluate makes them"
        made[0].notes[:0] = [
            f"{run.name}{word}." for run in lacking for word in (*(f": {x}" for x in run.problems), f" {why}")
        ]
    return made


def _sets(runs: Sequence[RunMetrics], rows: Mapping[str, Sequence[Row]]) -> list[list[RunMetrics]]:
    """Runs that share a metric: again and again those of the metric that most of the rest have."""
    names = {key_of(run): {name for row in rows[key_of(run)] for name in row.metrics} for run in runs}
    order = directions.preferred(sorted(set().union(*names.values())))
    rest, sets = list(runs), []
    while rest:
        shared = Counter(name for run in rest for name in names[key_of(run)])
        best = max(order, key=lambda name: (shared[name], -order.index(name)))
        sets.append([run for run in rest if best in names[key_of(run)]])
        rest = [run for run in rest if best not in names[key_of(run)]]
    return sorted(sets, key=lambda held: runs.index(held[0]))

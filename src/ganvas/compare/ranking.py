"""From runs to a comparison: variants over their seeds, by the metrics of one protocol, in order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ganvas.compare import directions
from ganvas.compare.comparison import Comparison, Member, Variant
from ganvas.compare.protocol import common, differing, key_of, say_differences
from ganvas.compare.rows import Protocol, Row, RunMetrics, examples_of
from ganvas.compare.statistics import overlap, summarize, welch
from ganvas.compare.variants import group
from ganvas.errors import OptionError, require
from ganvas.functional.instant import instant_of


def compare_alike(
    runs: Sequence[RunMetrics],
    rows: Mapping[str, Sequence[Row]],
    *,
    by: str | None,
    mode: str | None,
    rank: bool,
) -> Comparison:
    """Compares runs that share a metric.

    Args:
        runs: at least one, each with a row.
        rows: the evaluations of each run, oldest first, to look at.
        by: the metric that ranks, which each has; None takes the first of the usual ones that all have.
        mode: ``min`` or ``max``; None takes what is known of the metric.
        rank: False shows metrics side by side, also those of different protocols.

    Raises:
        OptionError: ``RUN`` where the protocols differ and ``rank`` is asked for, ``--mode`` where it is not
            known and ``rank`` is asked for.
    """
    notes = [f"{run.name}: {word}." for run in runs for word in run.problems]
    by = by or _first_comparable(rows)
    chosen = _protocols(rows, by)
    keys = differing(list(chosen.values()))
    if keys and rank:
        raise OptionError(
            "RUN",
            f"{len(runs)} runs",
            f"have no protocol of {by} in common and are not ranked: {say_differences(runs, chosen)}; "
            "evaluate them alike (ganvas evaluate RUN with the same options), or --no-rank shows them "
            "side by side",
        )
    there = {row.protocol(by) for held in rows.values() for row in held if by in row.metrics}
    others = len(there - set(chosen.values()))
    if others:
        more = "1 other protocol" if others == 1 else f"{others} other protocols"
        notes.append(f"{by} was also measured by {more}; --protocol key=value chooses.")
    mode = mode or directions.mode_of(by, [row for held in rows.values() for row in held])
    reason = f"whether less or more {by} is better is not known; give min or max"
    require(mode is not None or not rank, "--mode", "", reason)
    members = [_member(run, rows[key_of(run)], chosen[key_of(run)], by) for run in runs]
    metrics, protocol = _columns(members, by, keys, notes)
    variants = _variants(members, metrics, chosen, notes)
    result = Comparison(by, mode, rank, variants, metrics, keys, protocol, notes)
    if rank:
        _rank(result)
    return result


def without_metrics(runs: Sequence[RunMetrics], wanted: str) -> Comparison:
    """Runs that have no metrics, side by side: what they are, and how far they came."""
    notes = [f"{run.name}: {word}." for run in runs for word in run.problems]
    notes.append(f"These have no {wanted}; ganvas evaluate makes them.")
    members = [
        Member(run, examples_of({"examples": run.status.get("examples_seen")}) or 0, {}, {}) for run in runs
    ]
    variants = _variants(members, [], {key_of(run): () for run in runs}, notes)
    return Comparison("", None, False, variants, [], [], (), notes)


def _protocols(rows: Mapping[str, Sequence[Row]], by: str) -> dict[str, Protocol]:
    return common(
        {
            key: [(row.protocol(by), row.examples) for row in held if by in row.metrics]
            for key, held in rows.items()
        }
    )


def _first_comparable(rows: Mapping[str, Sequence[Row]]) -> str:
    """The first of the preferred metrics that all runs have under one protocol, else that all have."""
    held = [{name for row in one for name in row.metrics} for one in rows.values()]
    shared = directions.preferred(sorted(set.intersection(*held)))
    sound = (name for name in shared if not differing(list(_protocols(rows, name).values())))
    return next(sound, shared[0])


def _member(run: RunMetrics, rows: Sequence[Row], protocol: Protocol, by: str) -> Member:
    """The newest row that has the metric, and what rows of the same kind say of the same weights."""
    newest = [row for row in rows if by in row.metrics and row.protocol(by) == protocol][-1]
    metrics: dict[str, float] = {}
    protocols: dict[str, Protocol] = {}
    for row in (*rows, newest):
        if row.examples == newest.examples and row.shared == newest.shared:
            metrics |= row.metrics
            protocols |= {name: row.protocol(name) for name in row.metrics}
    return Member(run, newest.examples, metrics, protocols)


def _columns(
    members: Sequence[Member], by: str, keys: Sequence[str], notes: list[str]
) -> tuple[list[str], Protocol]:
    """The metrics that are comparable, ``by`` first, and the protocol of all of them."""
    names = directions.preferred(sorted({name for member in members for name in member.metrics}))
    metrics, items = [], set()
    for name in [by, *(name for name in names if name != by)]:
        held = [member.protocols[name] for member in members if name in member.protocols]
        odd = [key for key in differing(held) if key not in keys]
        if odd:
            notes.append(f"{name} is left out: its protocols differ in {', '.join(odd[:5])}.")
            continue
        metrics.append(name)
        items |= {item for one in held for item in one if item[0] not in keys}
    return metrics, tuple(sorted(items))


def _variants(
    members: list[Member], metrics: Sequence[str], chosen: Mapping[str, Protocol], notes: list[str]
) -> list[Variant]:
    """Groups by config without seed, and by protocol; of several runs of one seed the newest counts."""
    indices, names_of = group([member.run.run for member in members])
    groups: dict[tuple[int, Protocol], list[Member]] = {}
    for index, member in zip(indices, members, strict=True):
        groups.setdefault((index, chosen[key_of(member.run)]), []).append(member)
    variants = []
    for (index, protocol), held in groups.items():
        kept = _one_of_each_seed(held, notes)
        names = [name for name in metrics if all(name in member.metrics for member in kept)]
        summaries = {name: summarize([member.metrics[name] for member in kept]) for name in names}
        variants.append(Variant(names_of[index], kept, protocol, summaries))
        _note_members(variants[-1], notes)
    return variants


def _one_of_each_seed(members: list[Member], notes: list[str]) -> list[Member]:
    """The same seed twice is the same run twice: it would make an interval narrower than it is."""
    ordered = sorted(
        members, key=lambda one: (instant_of(one.run.status.get("started")) or 0.0, one.run.name)
    )
    newest: dict[object, Member] = {}
    for index, member in enumerate(ordered):
        seed = member.run.seed if member.run.seed is not None else ("none", index)
        if seed in newest:
            notes.append(
                f"{newest[seed].run.name} is left out: {member.run.name} is a newer run of seed {seed}."
            )
        newest[seed] = member
    return sorted(
        newest.values(), key=lambda one: (isinstance(one.run.seed, str), str(one.run.seed).zfill(20))
    )


def _note_members(variant: Variant, notes: list[str]) -> None:
    for member in variant.members:
        state = str(member.run.status.get("state", "of unknown state"))
        if state != "finished":
            notes.append(f"{member.run.name} is {state}; its metrics are of {member.examples} examples.")
    low, high = variant.examples
    if low != high:
        notes.append(f"{variant.label}: its seeds have seen different numbers of examples, {low} to {high}.")


def _rank(result: Comparison) -> None:
    """Orders by the mean, the better first; what is not finite comes last, without rank."""
    sign = -1 if result.mode == "max" else 1
    by = result.by

    def place(variant: Variant) -> tuple[bool, float]:
        summary = variant.summaries[by]
        lost = summary.not_finite > 0
        return lost, 0.0 if math.isnan(summary.mean) else sign * summary.mean

    result.variants.sort(key=place)
    above: Variant | None = None
    for rank, variant in enumerate(result.variants, start=1):
        summary = variant.summaries[by]
        if summary.not_finite:
            result.notes.append(
                f"{variant.label}: {by} is not finite in {summary.not_finite} of "
                f"{len(variant.members)} seeds; it has no rank."
            )
            continue
        variant.rank = rank
        if above is not None:
            variant.p = welch(above.summaries[by], summary)
            variant.overlaps = overlap(above.summaries[by], summary)
            if variant.told_apart is False:
                also = ", and their intervals overlap" if variant.overlaps else ""
                result.notes.append(
                    f"Ranks {rank - 1} and {rank} are not told apart: Welch's test gives "
                    f"p = {variant.p:.2g}{also}."
                )
        above = variant
    single = sum(len(variant.members) == 1 for variant in result.variants)
    if single:
        which = "One variant has" if single == 1 else f"{single} variants have"
        result.notes.append(f"{which} one seed: no interval, and no test against the others.")

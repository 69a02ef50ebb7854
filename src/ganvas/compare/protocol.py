"""Which protocol the metrics of several runs have in common; metrics of different ones are not ranked."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence

from ganvas.compare.rows import Protocol, Row, RunMetrics, shown
from ganvas.errors import OptionError, require

_MOST_NAMES = 3  # runs that a message names for one value


def parse_filters(words: Sequence[str]) -> dict[str, str]:
    """``key=value`` words.

    Raises:
        OptionError: ``--protocol``: a word is none.
    """
    filters = {}
    for word in words:
        key, sign, value = word.partition("=")
        require(bool(key and sign), "--protocol", word, "must be key=value, such as features.name=pixels")
        filters[key] = value
    return filters


def filtered(rows: Sequence[Row], filters: Mapping[str, str]) -> list[Row]:
    """The rows whose protocols have these values."""
    kept = []
    for row in rows:
        held = {key: shown(value) for key, value in row.protocol()}
        if all(held.get(key) == value for key, value in filters.items()):
            kept.append(row)
    return kept


def check_filters(rows: Sequence[Row], filters: Mapping[str, str]) -> None:
    """Raises OptionError (``--protocol``) for a key or a value that no row has."""
    for key, value in filters.items():
        values = {shown(x) for row in rows for name, x in row.protocol() if name == key}
        if not values:
            keys = sorted({name for row in rows for name, _ in row.protocol()})
            near = difflib.get_close_matches(key, keys, n=3, cutoff=0.4) or keys[:5]
            reason = f"no metric's protocol has such a key; there are: {', '.join(near)}"
            raise OptionError("--protocol", f"{key}={value}", reason)
        there = ", ".join(sorted(values)[:5])
        require(
            value in values, "--protocol", f"{key}={value}", f"no metric has this value; there are: {there}"
        )


def common(held: Mapping[str, Sequence[tuple[Protocol, int]]]) -> dict[str, Protocol]:
    """For each run the protocol to compare it by: the one that most runs share, else the nearest to it.

    Of several that as many share, the one that is the newest of most runs, then the one of most examples.

    Args:
        held: the protocols, with their examples, of the evaluations of each run, oldest first; none is empty.
    """
    shared: Counter[Protocol] = Counter()
    newest: Counter[Protocol] = Counter()
    most: Counter[Protocol] = Counter()
    for rows in held.values():
        shared.update({protocol for protocol, _ in rows})
        newest[rows[-1][0]] += 1
        for protocol, examples in rows:
            most[protocol] = max(most[protocol], examples)
    best = max(shared, key=lambda one: (shared[one], newest[one], most[one], one))
    chosen = {}
    for run, rows in held.items():
        there = dict.fromkeys(protocol for protocol, _ in reversed(rows))  # of equals the newest comes first
        chosen[run] = min(there, key=lambda one: len(differing([one, best])))
    return chosen


def key_of(run: RunMetrics) -> str:
    """What tells runs apart: names may be equal in two folders."""
    return str(run.folder.path.resolve())


def differing(protocols: Sequence[Protocol]) -> list[str]:
    """The keys under which not all have the same value, in order."""
    tables = [dict(protocol) for protocol in protocols]
    keys = sorted({key for table in tables for key in table})
    return [key for key in keys if len({table.get(key) for table in tables}) > 1]


def say_differences(runs: Sequence[RunMetrics], chosen: Mapping[str, Protocol]) -> str:
    """``key: value (runs), value (runs); key: ...`` of what differs."""
    parts = []
    for key in differing(list(chosen.values())):
        holders: dict[str, list[str]] = {}
        for run in runs:
            value = dict(chosen[key_of(run)]).get(key)
            holders.setdefault(_short(shown(value)), []).append(run.name)
        listed = ", ".join(f"{value} ({_some(names)})" for value, names in holders.items())
        parts.append(f"{key}: {listed}")
    return "; ".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return " ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")

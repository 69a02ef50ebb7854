"""From the overrides of ``ganvas train -m`` to the frozen configs of its jobs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import Composed
from ganvas.cli.compose.hydra_internals import RangeSweep, parse_overrides, sweep_of
from ganvas.cli.compose.refuse_unread import UnreadInSweep
from ganvas.errors import OptionError, require
from ganvas.run.config.optimized import check_optimized
from ganvas.run.folder.redact import redacted_override
from ganvas.sweep.manifest import Draft

_MAX_REPEATS = 1000
MAX_JOBS = 10_000  # of a sweep: each is composed before the first one runs
_AT_MOST = f"a sweep has at most {MAX_JOBS:,}; list fewer values"


def fixed_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides that are the same for every job."""
    return [str(one.input_line) for one in parse_overrides(overrides) if not one.is_sweep_override()]


def one_job(hydra: Any, overrides: Sequence[str]) -> list[str]:
    """The overrides with the first of the values that differ between jobs; of an interval there is none."""
    found = []
    for one in parse_overrides(overrides, hydra):
        if not one.is_sweep_override():
            found.append(str(one.input_line))
        elif one.is_range_sweep():  # never listed: whether it can be, and how long it is, is looked at later
            found.append(f"{one.get_key_element()}={sweep_of(one).start}")
        elif one.is_choice_sweep():
            first = next(iter(one.sweep_string_iterator()), None)
            found += [] if first is None else [f"{one.get_key_element()}={first}"]
    return found


def combinations(hydra: Any, overrides: Sequence[str]) -> list[list[str]]:
    """Every job's overrides; the last word changes fastest; of a key that is written twice the last counts.

    Raises:
        OptionError: a word lists no value, or an interval; or there are more than :data:`MAX_JOBS` jobs.
    """
    choices: dict[str, list[str]] = {}
    shown: dict[str, str] = {}
    for one in parse_overrides(overrides, hydra):
        key, _, value = str(one.input_line).partition("=")
        if not one.is_sweep_override():
            values = [one.get_value_element_as_str()]
        elif one.is_discrete_sweep():
            if isinstance(sweep_of(one), RangeSweep):
                check_range(sweep_of(one), key, value, MAX_JOBS)
            values = list(one.sweep_string_iterator())
            require(bool(values), key, value, "lists no value at all: the grid is empty; give some")
        else:
            raise OptionError(key, value, "lists no values; write a,b,c, or search with hydra/sweeper=optuna")
        name = one.get_key_element()
        choices[name] = [f"{name}={one}" for one in values]
        shown[name] = value
    sizes = {name: len(values) for name, values in choices.items() if len(values) > 1}
    if math.prod(sizes.values()) > MAX_JOBS:
        longest = max(sizes, key=lambda name: sizes[name])
        product = f"{' x '.join(map(str, sizes.values()))} = {math.prod(sizes.values()):,} jobs"
        raise OptionError(longest, shown[longest], f"makes {product}; {_AT_MOST}")
    return [list(job) for job in itertools.product(*choices.values())]


def drafts(composer: Composer, overrides: Sequence[str]) -> tuple[list[Draft], list[str]]:
    """Every job of a sweep over the overrides' values, each ``sweep.repeats`` times with seeds of its own.

    Returns:
        the jobs, and the overrides that all of them share.

    Raises:
        OptionError: an override that does not compose.
    """
    jobs = combinations(composer.hydra, overrides)
    varied = differing(jobs)
    shared = [word for word in jobs[0] if word not in varied[0]]
    made: list[Draft] = []
    checks = UnreadInSweep()
    for variant, (job, differs) in enumerate(zip(jobs, varied, strict=True)):
        first = composer.compose(job)
        if not made:
            _check_repeats(first, len(jobs))
        made += repeats(composer, first, differs, variant)
        checks.add(first, differs)
    checks.finish()
    return made, shared


def check_range(values: RangeSweep, key: str, shown: str, most: int) -> None:
    """Counts the numbers of a ``range`` before anybody lists them.

    Raises:
        OptionError: ``key``, with ``shown`` as its value: a step of 0, an end that is not finite, or more
            than ``most`` numbers.
    """
    start, stop, step = values.start or 0, values.stop or 0, values.step
    finite = all(isinstance(one, int) or math.isfinite(one) for one in (start, stop, step))
    require(finite, key, shown, "has an end that is not finite; write range(start, stop, step) of numbers")
    require(step != 0, key, shown, "has a step of 0; write range(start, stop, step)")
    count = -((Fraction(start) - Fraction(stop)) // Fraction(step))
    listed = f"{count:,}" if count < 10**15 else "more than 10^15"
    require(count <= most, key, shown, f"lists {listed} values; at most {most:,} are taken, list fewer")


def _check_repeats(first: Composed, variants: int) -> None:
    """Raises OptionError where the combinations, each ``sweep.repeats`` times, are too many jobs."""
    count = (first.config.get("sweep") or {}).get("repeats", 1)
    if type(count) is int and 1 < count <= _MAX_REPEATS:
        reason = f"makes {variants} x {count} = {variants * count:,} jobs; {_AT_MOST}"
        require(variants * count <= MAX_JOBS, "sweep.repeats", count, reason)


def repeats(composer: Composer, first: Composed, differs: Sequence[str], variant: int) -> list[Draft]:
    """One combination as jobs: ``sweep.repeats`` of them, with the seeds from ``seed`` on."""
    try:
        check_optimized(first.config)
    except OptionError as error:
        raise first.named_as_written(error) from error
    count = (first.config.get("sweep") or {}).get("repeats", 1)
    fits = isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= _MAX_REPEATS
    require(fits, "sweep.repeats", count, f"must be a whole number from 1 to {_MAX_REPEATS}")
    if count == 1:
        return [_draft(first, differs, variant, 0)]
    swept = any(word.startswith("seed=") for word in differs)
    require(
        not swept, "sweep.repeats", count, "gives the seeds itself, and seed=... lists some; leave one out"
    )
    answer = []
    for repeat in range(count):
        word = f"seed={first.config['seed'] + repeat}"
        made = composer.compose([*first.overrides, word]) if repeat else first
        answer.append(_draft(made, [*differs, word], variant, repeat))
    return answer


def _draft(made: Composed, differs: Sequence[str], variant: int, repeat: int) -> Draft:
    return Draft(made.config, made.choices, made.origins, list(differs), slug(differs), variant, repeat)


def differing(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of each job's overrides, those that not every job has (all of them where there is one job)."""
    shared = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    return [[override for override in job if override not in shared] for job in jobs]


def slug(overrides: Sequence[str]) -> str:
    """A folder name from a job's overrides: last key and value of each, no ``=`` (Hydra's grammar)."""
    parts = [
        f"{o.partition('=')[0].rpartition('.')[2].rpartition('/')[2]}-{o.partition('=')[2]}"
        for o in map(redacted_override, overrides)
    ]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(parts)).strip("-")[:80] or "job"

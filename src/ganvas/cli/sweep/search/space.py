"""From the overrides of a search, in Hydra's override grammar, to what stays and what is varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.errors import HydraException

from ganvas.cli.compose.hydra_internals import IntervalSweep, RangeSweep, parse_overrides, sweep_of
from ganvas.cli.sweep.drafts import check_range
from ganvas.errors import OptionError, require
from ganvas.sweep.search.space import Dimension, Space, choice, interval, stepped

_TAGS = {"log"}
_MOST_NUMBERS = 1_000_000  # of a range, which is listed; an interval has no limit


def parse(overrides: Sequence[str], hydra: Any) -> tuple[list[str], Space]:
    """The overrides that stay, and the space of those that list values or an interval.

    A key that is written twice has its last meaning, as everywhere on the command line.

    Raises:
        OptionError: a word that cannot be read, or whose values are no space to search in.
    """
    found: dict[str, Any] = {}
    for word in overrides:
        key, _, value = word.partition("=")
        try:
            (parsed,) = parse_overrides([word], hydra)
        except HydraException as error:
            reason = str(error).strip().splitlines()[0]
            raise OptionError(key, value, f"cannot be read ({reason}); quote special characters") from error
        name = parsed.get_key_element()
        found.pop(name, None)
        found[name] = parsed
    fixed = [str(one.input_line) for one in found.values() if not one.is_sweep_override()]
    return fixed, Space(tuple(_dimension(one) for one in found.values() if one.is_sweep_override()))


def overrides_of(params: Mapping[str, Any]) -> list[str]:
    """``hydra.sweeper.params`` as overrides: key -> what the command line would say behind ``=``."""
    answer = []
    for key, value in params.items():
        plain = isinstance(value, str | int | float | bool)
        require(plain, f"hydra.sweeper.params.{key}", value, 'must be text, e.g. "interval(0, 1)"')
        answer.append(f"{key}={str(value).lower() if isinstance(value, bool) else value}")
    return answer


def _dimension(parsed: Any) -> Dimension:
    key, value = parsed.get_key_element(), sweep_of(parsed)
    shown = str(parsed.input_line).partition("=")[2]
    if parsed.key_or_group == "seed":
        raise OptionError("seed", shown, "is nothing to search for; sweep.repeats=3 averages over seeds")
    tags: set[str] = getattr(value, "tags", set())
    unknown = sorted(set(tags) - _TAGS)
    require(not unknown, key, shown, f"has the tag {', '.join(unknown)}; there is: log")
    shuffled = getattr(value, "shuffle", False)
    require(not shuffled, key, shown, "has no order to shuffle: the sampler has its own; leave shuffle out")
    log = "log" in tags
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        return interval(key, value.start, value.end, log=log)
    if isinstance(value, RangeSweep):
        check_range(value, key, shown, _MOST_NUMBERS)
        return stepped(key, list(value.range()), shown, log=log)
    require(
        not log, key, shown, "is a choice, whose values have no scale; leave the tag out, or write interval"
    )
    return choice(key, list(parsed.sweep_string_iterator()))

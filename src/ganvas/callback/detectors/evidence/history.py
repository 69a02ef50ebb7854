"""What a run has reported lately, and how it began."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

from ganvas.functional.checked_values import items, number, table

_RECENT = 64  # values of each tag; the longest window that a detector may ask for
_EARLY = 8  # values of each tag; the beginning


class History:
    """The newest values of each tag, and its first ones; plain values, so that a checkpoint carries them.

    Args:
        since: examples seen before which a value counts as the beginning alone.
    """

    longest = _RECENT

    def __init__(self, since: int = 0) -> None:
        self.since = since
        self._recent: dict[str, deque[float]] = {}
        self._early: dict[str, list[float]] = {}
        self._newest: dict[str, float] = {}

    def add(self, examples: int, values: Mapping[str, float]) -> None:
        """Adds a value a tag; one that is not finite is left out (the recipe's guard speaks of those)."""
        for tag, value in values.items():
            if not math.isfinite(value):
                continue
            self._newest[tag] = value
            early = self._early.setdefault(tag, [])
            if len(early) < _EARLY:
                early.append(value)
            if examples >= self.since:
                self._recent.setdefault(tag, deque(maxlen=_RECENT)).append(value)

    def note(self, values: Mapping[str, float]) -> None:
        """Sets the newest values alone: of a moment that is not one of the run's regular ones, its end."""
        self._newest.update({tag: value for tag, value in values.items() if math.isfinite(value)})

    def newest(self, tag: str) -> float | None:
        """The newest value, whether or not it came after ``since``."""
        return self._newest.get(tag)

    def last(self, tag: str, count: int) -> list[float]:
        """The ``count`` newest values, oldest first; none at all where there are fewer."""
        values = list(self._recent.get(tag, ()))
        return values[-count:] if len(values) >= count else []

    def first(self, tag: str) -> float | None:
        """The first value of the run."""
        return self._early[tag][0] if self._early.get(tag) else None

    def early(self, tag: str) -> float | None:
        """The median of the first values of the run, whether or not they came after ``since``."""
        return median(self._early[tag]) if self._early.get(tag) else None

    def tags(self, beginning: str) -> list[str]:
        """The tags that begin so, sorted."""
        return sorted(tag for tag in self._early if tag.startswith(beginning))

    def state_dict(self) -> dict[str, Any]:
        recent = {tag: list(values) for tag, values in self._recent.items()}
        early = {tag: list(values) for tag, values in self._early.items()}
        return {"recent": recent, "early": early, "newest": dict(self._newest)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        recent, early = _lists(state, "recent", _RECENT), _lists(state, "early", _EARLY)
        held = {"newest": {}} | dict(state)  # runs of before it have none
        newest = {tag: number(table(held, "newest"), tag) for tag in table(held, "newest")}
        self._recent = {tag: deque(values, maxlen=_RECENT) for tag, values in recent.items()}
        self._early, self._newest = early, newest


def _lists(state: Mapping[str, Any], name: str, most: int) -> dict[str, list[float]]:
    """Tag -> its values.

    Raises:
        ValueError: a tag has no list of 1 to ``most`` finite numbers.
    """
    held = table(state, name)
    for tag in held:
        values = items(held, tag)
        if not 1 <= len(values) <= most:
            raise ValueError(f"{name}.{tag} has {len(values)} values, not 1 to {most}")
    return {tag: [number({tag: value}, tag) for value in values] for tag, values in held.items()}

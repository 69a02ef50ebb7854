"""Numbers that move with training: pure functions of examples seen, so that a resumed run needs no state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

from ganvas.errors import is_whole, require


class Schedule(ABC):
    """A number as a function of examples seen.

    Attributes:
        end: examples seen from which on the number stays as it is; None: it never moves, as nobody said when.
        extremes: values between which all others lie, the last one among them.
    """

    end: int | None
    extremes: tuple[float, ...]

    @abstractmethod
    def __call__(self, examples_seen: int) -> float:
        """The number after so many examples, at least 0."""


class Scheduled:
    """A part some of whose numbers may be schedules, for its constructor to take by :meth:`set_number`.

    Attributes:
        schedules: name of the number -> its schedule. The number itself is an attribute of that name.
    """

    schedules: dict[str, Schedule]

    def set_number(
        self, name: str, value: float | Schedule, valid: Callable[[float], bool], rule: str
    ) -> None:
        """Makes ``value`` the attribute ``name``; of a schedule the value at its start, until it is moved.

        Raises:
            OptionError: it is not finite or not ``valid``, of a schedule any of its extremes.
        """
        self.schedules = {**vars(self).get("schedules", {})}
        if isinstance(value, Schedule):
            for extreme in value.extremes:
                require(math.isfinite(extreme) and valid(extreme), name, extreme, rule)
            self.schedules[name], value = value, value(0)
        else:
            require(math.isfinite(value) and valid(value), name, value, rule)
        setattr(self, name, value)

    def set_strength(self, name: str, value: float | Schedule, rule: str) -> None:
        """:meth:`set_number` of a number that must be positive; a schedule may begin or end at 0.

        Raises:
            OptionError: it is negative or 0, of a schedule any of its extremes negative or all of them 0.
        """
        extremes = value.extremes if isinstance(value, Schedule) else (value,)
        acts = any(extreme > 0 for extreme in extremes)
        self.set_number(name, value, lambda strength: strength >= 0 and acts, rule)

    def move_numbers(self, examples_seen: int) -> None:
        """Sets every scheduled number to its value after so many examples."""
        for name, schedule in vars(self).get("schedules", {}).items():
            setattr(self, name, schedule(examples_seen))


def require_examples(option: str, value: int | None) -> None:
    """Raises OptionError unless a span of training is a whole number of examples, at least 1, or None."""
    rule = "must be a whole number of training examples, at least 1; null: it never moves"
    require(value is None or (is_whole(value) and value >= 1), option, value, rule)


def require_finite(**numbers: float) -> None:
    """Raises OptionError unless each of the options is a finite number."""
    for option, value in numbers.items():
        require(math.isfinite(value), option, value, "must be a finite number")

"""What a search varies: one dimension for each key, as Hydra's override grammar wrote it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ganvas.errors import OptionError, require

Value = str | int | float


@dataclass(frozen=True)
class Dimension:
    """One key and the values that it may take.

    Attributes:
        option: the key as an override names it, ``+`` included, e.g. ``model.latent_dim``.
        kind: ``choice`` (of ``choices``), ``int`` or ``float`` (from ``low`` to ``high``, both included).
        choices: the values as an override writes them.
        step: distance of two neighbours; None: any number in between.
        log: whether orders of magnitude are drawn evenly, not numbers.
    """

    option: str
    kind: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    @property
    def name(self) -> str:
        """What the study calls it."""
        return self.option.lstrip("+")

    def distribution(self) -> Any:
        """As Optuna's."""
        from optuna import distributions

        if self.kind == "choice":
            return distributions.CategoricalDistribution(self.choices)
        if self.kind == "int":
            step = 1 if self.step is None else int(self.step)
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return distributions.FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def values(self) -> list[Value] | None:
        """All of them in order; None where they are not countable."""
        if self.kind == "choice":
            return list(self.choices)
        step = self.step or (1 if self.kind == "int" else None)
        if step is None:
            return None
        count = round((self.high - self.low) / step) + 1
        return [self._stepped(number) for number in range(count)]

    def word(self, value: Value) -> str:
        """The override that gives the key this value."""
        if self.kind == "float" and self.step is not None:
            value = self._stepped(round((float(value) - self.low) / self.step))
        return f"{self.option}={value}"

    def _stepped(self, number: int) -> Value:
        """Low and so many steps, in decimals: 0.1 + 2 * 0.1 is 0.3."""
        step = 1 if self.step is None else self.step
        value = Decimal(str(self.low)) + number * Decimal(str(step))
        return int(value) if self.kind == "int" else float(value)


@dataclass(frozen=True)
class Space:
    """The dimensions of a search.

    Attributes:
        dimensions: at least one, each key once.
    """

    dimensions: tuple[Dimension, ...] = field(default=())

    def __post_init__(self) -> None:
        reason = "nothing is varied; give a key several values: a=1,2, a=range(1,5), a=interval(0,1)"
        require(bool(self.dimensions), "search", "", reason)

    def distributions(self) -> dict[str, Any]:
        return {one.name: one.distribution() for one in self.dimensions}

    def overrides(self, params: dict[str, Any]) -> list[str]:
        """The overrides of a trial, in the order of the dimensions."""
        return [one.word(params[one.name]) for one in self.dimensions]

    def grid(self) -> list[dict[str, Value]]:
        """Every combination; the last dimension varies fastest.

        Raises:
            OptionError: a dimension that cannot be counted.
        """
        rows: list[dict[str, Value]] = [{}]
        for one in self.dimensions:
            values = one.values()
            if values is None:
                middle = (one.low * one.high) ** 0.5 if one.log else (one.low + one.high) / 2
                some = f"{one.option}=choice({one.low:g},{middle:.3g},{one.high:g})"
                shown = f"interval({one.low:g},{one.high:g})"
                reason = f"has no grid; write {some}, or range(start, stop, step), or take another sampler"
                raise OptionError(one.option, shown, reason)
            rows = [row | {one.name: value} for row in rows for value in values]
        return rows

    def describe(self) -> dict[str, Any]:
        """Plain values that are equal where two searches look at the same space."""
        return {
            one.name: (
                {"choices": list(one.choices)}
                if one.kind == "choice"
                else {"kind": one.kind, "low": one.low, "high": one.high, "step": one.step, "log": one.log}
            )
            for one in self.dimensions
        }


def choice(key: str, choices: Sequence[str]) -> Dimension:
    """Of values as an override writes them; a second mention of one counts for nothing."""
    require(bool(choices), key, "choice()", "has no values; write some, e.g. choice(8,16)")
    return Dimension(key, "choice", tuple(dict.fromkeys(choices)))


def interval(key: str, low: float, high: float, *, log: bool = False) -> Dimension:
    """Numbers from ``low`` to ``high``; whole ones where both are of type int."""
    kind = "int" if isinstance(low, int) and isinstance(high, int) else "float"
    shown = f"interval({low:g},{high:g})"
    finite = math.isfinite(low) and math.isfinite(high)
    require(finite, key, shown, "must have finite ends")
    require(
        low < high,
        key,
        shown,
        f"must begin below its end; write interval({high:g},{low:g})"
        if low > high
        else "holds one number; write the number alone",
    )
    _check_log(key, shown, low, log)
    return Dimension(key, kind, low=low, high=high, log=log)


def stepped(key: str, values: Sequence[float], shown: str, *, log: bool = False) -> Dimension:
    """Evenly spaced numbers, as ``range`` lists them.

    Args:
        values: in any order.
        shown: as it was written.
    """
    require(bool(values), key, shown, "is empty; range(start, stop, step) ends before stop")
    ordered = sorted(values)
    if len(ordered) == 1:
        return choice(key, [str(ordered[0])])
    kind = "int" if all(isinstance(value, int) for value in ordered) else "float"
    step = Decimal(str(ordered[1])) - Decimal(str(ordered[0]))
    _check_log(key, shown, ordered[0], log)
    if log:
        reason = (
            "a logarithmic range has steps of 1; write tag(log, interval(a,b)) or int(interval(a,b)) in it"
        )
        require(kind == "int" and step == 1, key, shown, reason)
    size: float = int(step) if kind == "int" else float(step)
    return Dimension(key, kind, low=ordered[0], high=ordered[-1], step=size, log=log)


def _check_log(key: str, shown: str, low: float, log: bool) -> None:
    reason = f"begins at {low:g}, and a logarithm needs more than 0; begin at a small positive number"
    require(not log or low > 0, key, f"tag(log, {shown})", reason)

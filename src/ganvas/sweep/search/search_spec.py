"""What a search is, as plain values: sweep.json keeps it, and machines that share a study agree on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Dimension, Space


class Objective(NamedTuple):
    """What is optimized: a scalar of metrics.jsonl and which of its values are good, ``min`` or ``max``."""

    metric: str
    mode: str

    @property
    def sign(self) -> int:
        return 1 if self.mode == "min" else -1


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """A search.

    Attributes:
        settings: of the sweeper; ``storage`` is from any folder.
        dimensions: what is varied.
        objectives: the first one is what the sweep ranks by.
        overrides: the overrides that all trials share, secrets hidden where it was read from a file.
        seed: of the sampler.
        repeats: jobs of a trial.
        every_examples: between two values of the metric, for the pruner.
        max_examples: a run's budget, for the pruner; 0 where it has none in examples.
        study: its name in the storage.
        experiment: the key of the first values' config: equal where two searches train the same.
        owner: whose trials this sweep's are, in a storage that several share.
    """

    settings: Settings
    dimensions: Sequence[Dimension]
    objectives: Sequence[Objective]
    overrides: list[str]
    seed: int
    repeats: int
    every_examples: int
    max_examples: int
    study: str
    experiment: str
    owner: str

    @property
    def space(self) -> Space:
        return Space(tuple(self.dimensions))

    def identity(self) -> dict[str, Any]:
        """What must be equal where two sweeps share a study."""
        return {
            "space": self.space.describe(),
            "metrics": [list(one) for one in self.objectives],
            "repeats": self.repeats,
            "experiment": self.experiment,
            "sampler": [self.settings.sampler, self.seed],
        }

    @classmethod
    def read(cls, value: dict[str, Any]) -> SearchSpec:
        """From sweep.json, which may come from anyone.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        settings, objectives = Settings(**value["settings"]), [Objective(*one) for one in value["objectives"]]
        dimensions = [_dimension(one) for one in value["dimensions"]]
        numbers = [value[name] for name in ("seed", "repeats", "every_examples", "max_examples")]
        names = [value["study"], value["experiment"], value["owner"], *value["overrides"]]
        names += [one.metric for one in objectives]
        sound = all(type(number) is int and number >= 0 for number in numbers)
        sound = sound and all(isinstance(name, str) for name in names)
        sound = sound and asdict(settings) == value["settings"]  # none is left out
        sound = sound and all(one.mode in ("min", "max") for one in objectives)
        if not sound or value["repeats"] < 1 or value["every_examples"] < 1:
            raise ValueError("its values are of other kinds")
        made = {"settings": settings, "objectives": objectives, "dimensions": dimensions}
        return cls(**(value | made))


def _dimension(value: dict[str, Any]) -> Dimension:
    made = Dimension(**(value | {"choices": tuple(value["choices"])}))
    numbers = all(isinstance(one, int | float) for one in (made.low, made.high, made.step or 0))
    texts = isinstance(made.option, str) and all(isinstance(one, str) for one in made.choices)
    if made.kind not in ("choice", "int", "float") or not numbers or not texts:
        raise ValueError("a dimension is of another kind")
    if (made.kind == "choice") != bool(made.choices) or (made.kind != "choice" and not made.low < made.high):
        raise ValueError("a dimension is empty")
    return made

"""What hydra/sweeper=optuna takes (conf/hydra/sweeper/optuna.yaml), checked as far as one value can be."""

from __future__ import annotations

from dataclasses import dataclass, field

from ganvas.errors import OptionError, require

SAMPLERS = ("tpe", "random", "grid", "cmaes")
PRUNERS = ("none", "median", "hyperband")
_USUAL_TRIALS = 20


@dataclass(frozen=True, kw_only=True)
class Median:
    """Prunes a trial whose best value so far is worse than the median of the others' at the same examples.

    Attributes:
        startup_trials: trials that end before any is pruned.
        warmup_examples: examples of a run before which it is not pruned.
    """

    startup_trials: int = 5
    warmup_examples: int = 0

    def __post_init__(self) -> None:
        reason = "must be 1 or more: a median needs a trial"
        require(self.startup_trials >= 1, "startup_trials", self.startup_trials, reason)
        require(
            self.warmup_examples >= 0, "warmup_examples", self.warmup_examples, "must be 0 (none) or more"
        )


@dataclass(frozen=True, kw_only=True)
class Hyperband:
    """Gives many trials few examples, and one in ``reduction_factor`` so many times more (Li 2018).

    Attributes:
        min_examples: the fewest examples that a trial gets; None: those between two values of the metric.
        reduction_factor: of the trials that reach a rung, one in so many goes on.
    """

    min_examples: int | None = None
    reduction_factor: int = 3

    def __post_init__(self) -> None:
        some = self.min_examples is None or self.min_examples >= 1
        require(some, "min_examples", self.min_examples, "must be 1 or more, or null")
        require(self.reduction_factor >= 2, "reduction_factor", self.reduction_factor, "must be 2 or more")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of a search.

    Attributes:
        n_trials: of the study, those of other machines, failed and pruned ones included; None: every
            combination of a grid, else 20.
        sampler: one of SAMPLERS.
        seed: of the sampler; None: the experiment's.
        startup_trials: trials drawn at random before ``tpe`` or ``cmaes`` learns from them.
        pruner: one of PRUNERS.
        storage: database URL or path of a journal file; None: a journal file in the sweep's folder.
        study_name: None: the experiment's name.
    """

    n_trials: int | None = None
    sampler: str = "tpe"
    seed: int | None = None
    startup_trials: int = 10
    pruner: str = "none"
    median: Median = field(default_factory=Median)
    hyperband: Hyperband = field(default_factory=Hyperband)
    storage: str | None = None
    study_name: str | None = None

    def __post_init__(self) -> None:
        number = self.n_trials
        require(number is None or number >= 1, "n_trials", number, "must be at least 1")
        _one_of("sampler", self.sampler, SAMPLERS)
        _one_of("pruner", self.pruner, PRUNERS)
        require(self.seed is None or 0 <= self.seed < 2**63, "seed", self.seed, "must be in [0, 2^63)")
        require(self.startup_trials >= 1, "startup_trials", self.startup_trials, "must be at least 1")
        require(self.storage != "", "storage", "", "is empty; name a file or a database, or leave it out")
        require(self.study_name != "", "study_name", "", "is empty; give a name, or leave it out")

    def trials(self, grid: int | None) -> int:
        """How many the study gets; ``grid`` is the number of combinations, None where there is no grid."""
        if grid is None:
            return self.n_trials or _USUAL_TRIALS
        return min(self.n_trials or grid, grid)


def _one_of(option: str, value: str, there: tuple[str, ...]) -> None:
    if value not in there:
        raise OptionError(option, value, f"there is no such {option}; there are: {', '.join(there)}")

"""What hydra/sweeper=optuna takes (conf/hydra/sweeper/optuna.yaml), checked as far as one value can be."""

from __future__ import annotations

from dataclasses import dataclass

from ganvas.errors import require

SAMPLERS = ("tpe", "random", "grid", "cmaes")
PRUNERS = ("none", "median", "hyperband")
_USUAL_TRIALS = 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of a search.

    Attributes:
        n_trials: of the study, those of other machines, failed and pruned ones included; None: every
            combination of a grid, else 20.
        sampler: one of SAMPLERS.
        seed: of the sampler; None: the experiment's.
        startup_trials: trials drawn at random before ``tpe`` or ``cmaes`` learns from them.
        pruner: one of PRUNERS. ``median`` prunes a trial whose best value so far is worse than the median of
            the others' at the same examples; ``hyperband`` gives many trials few examples, and one in
            ``reduction_factor`` so many times more (Li 2018).
        pruner_startup_trials: trials that end before ``median`` prunes any.
        pruner_min_examples: examples of a run before which it is not pruned; None: 0, of ``hyperband`` those
            between two values of the metric.
        reduction_factor: of the trials that reach a rung of ``hyperband``, one in so many goes on.
        storage: database URL or path of a journal file; None: a journal file in the sweep's folder.
        study_name: None: the experiment's name.
    """

    n_trials: int | None = None
    sampler: str = "tpe"
    seed: int | None = None
    startup_trials: int = 10
    pruner: str = "none"
    pruner_startup_trials: int = 5
    pruner_min_examples: int | None = None
    reduction_factor: int = 3
    storage: str | None = None
    study_name: str | None = None

    def __post_init__(self) -> None:
        for name, least in (
            ("n_trials", 1),
            ("startup_trials", 1),
            ("pruner_startup_trials", 1),
            ("pruner_min_examples", 1),
            ("reduction_factor", 2),
        ):
            number = getattr(self, name)
            require(number is None or number >= least, name, number, f"must be at least {least}")
        for name, there in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
            value = getattr(self, name)
            require(value in there, name, value, f"there is no such {name}; there are: {', '.join(there)}")
        require(self.seed is None or 0 <= self.seed < 2**63, "seed", self.seed, "must be in [0, 2^63)")
        require(self.storage != "", "storage", "", "is empty; name a file or a database, or leave it out")
        require(self.study_name != "", "study_name", "", "is empty; give a name, or leave it out")

    def trials(self, grid: int | None) -> int:
        """How many the study gets; ``grid`` is the number of combinations, None where there is no grid."""
        if grid is None:
            return self.n_trials or _USUAL_TRIALS
        return min(self.n_trials or grid, grid)

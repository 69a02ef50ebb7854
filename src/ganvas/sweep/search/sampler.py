"""Where a trial's values come from; a function of the seed and of the trials before it."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, PartialFixedSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from ganvas.errors import OptionError, require
from ganvas.functional.random import hash64
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Space, Value


class SafeCmaEsSampler(CmaEsSampler):
    """Optuna's, which keeps its state as a pickle in the study; here no foreign study runs code by it."""

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> Any:
        for trial in reversed(completed_trials):
            attributes = trial.system_attrs
            parts = {
                key: text for key, text in attributes.items() if key.startswith(self._attr_key_optimizer)
            }
            if parts:
                return _Unpickler(io.BytesIO(bytes.fromhex(self._concat_optimizer_attrs(parts)))).load()
        return None


class _Unpickler(pickle.Unpickler):
    """Makes what a CMA-ES state consists of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _STATE:
            return super().find_class(module, name)
        reason = f"holds {module}.{name}, which is no state of a CMA-ES; name another storage"
        raise OptionError("hydra.sweeper.storage", "", reason)


_STATE = {
    ("cmaes._cma", "CMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._mt19937", "MT19937"),
}


def make_sampler(
    settings: Settings, grid: Sequence[dict[str, Value]] | None, *, seed: int, number: int, place: int
) -> BaseSampler:
    """The sampler of one trial.

    Each trial has one of its own, seeded by the study's seed and the trial's number: a study that goes on
    after a kill draws what it would have drawn; one sampler for all would begin again at its first draw.

    Args:
        grid: every combination, for ``sampler=grid``.
        number: of the trial in the study.
        place: of the trial among those that count.
    """
    own = hash64(seed, "trial", number) % 2**32
    if grid is not None:
        # Optuna's GridSampler draws among the combinations that are left, in no order. What is tried again
        # has its values already, and may stand behind the last row.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return PartialFixedSampler(grid[place] if place < len(grid) else {}, RandomSampler(seed=own))
    if settings.sampler == "random":
        return RandomSampler(seed=own)
    tpe = TPESampler(seed=own, n_startup_trials=settings.startup_trials)
    if settings.sampler == "tpe":
        return tpe
    return SafeCmaEsSampler(
        seed=own,
        n_startup_trials=settings.startup_trials,
        independent_sampler=tpe,  # of choices
        warn_independent_sampling=False,
    )


def check_sampler(settings: Settings, space: Space, num_objectives: int) -> list[dict[str, Value]] | None:
    """The grid, where the sampler is one.

    Raises:
        OptionError: the sampler cannot work on such a space, or needs a package that is missing.
    """
    if settings.sampler == "grid":
        return space.grid()
    if settings.sampler == "cmaes":
        numbers = any(one.kind != "choice" for one in space.dimensions)
        require(numbers, "sampler", "cmaes", "moves numbers, and there are only choices; sampler=tpe")
        reason = "knows one objective; take sampler=tpe, or one metric"
        require(num_objectives == 1, "sampler", "cmaes", reason)
        try:
            import cmaes  # noqa: F401
        except ImportError as error:
            raise OptionError("sampler", "cmaes", "needs an extra; pip install 'ganvas[search]'") from error
    return None

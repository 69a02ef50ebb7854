"""A study in its storage: made or joined, and what it must agree about with whoever joins it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ganvas.errors import OptionError, require
from ganvas.files.schema import is_count, is_finite, is_number, is_text, listing, mapping, misfit
from ganvas.sweep.search.search_spec import SearchSpec

_IDENTITY = "ganvas"  # attribute of the study
SURPLUS, RETRY_OF = "surplus", "retry_of"  # attributes of trials
_ATTRIBUTES = {
    "sweep": is_text,
    "host": is_text,
    "error": is_text,
    "overrides": listing(is_text),
    "jobs": listing(is_text),
    "repeats": listing(listing(is_finite)),
    RETRY_OF: is_count,
}
_OPTION = "hydra.sweeper.study_name"
_WHAT = {
    "space": "looks at another search space",
    "metrics": "optimizes other metrics",
    "experiment": "has trials of another experiment than these options make",
    "repeats": "has another number of repeats in a trial (sweep.repeats)",
    "sampler": "has another sampler or seed",
}


@dataclass
class StudyHandle:
    """The study of one search; trials that it creates carry the name of the sweep (``spec.owner``)."""

    storage: BaseStorage
    spec: SearchSpec

    @property
    def id(self) -> int:
        return self.storage.get_study_id_from_name(self.spec.study)

    @property
    def directions(self) -> list[StudyDirection]:
        return [
            StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
            for _, mode in self.spec.objectives
        ]

    def join(self) -> None:
        """Makes the study, or checks that it is the same search.

        Raises:
            OptionError: a study of this name is there, and is another search.
        """
        made = optuna.create_study(
            storage=self.storage,
            study_name=self.spec.study,
            directions=self.directions,
            load_if_exists=True,
        )
        if _IDENTITY not in made.user_attrs and not made.get_trials(deepcopy=False):
            made.set_user_attr(_IDENTITY, self.spec.identity())
        self.check()

    def exists(self) -> bool:
        return self.spec.study in optuna.get_all_study_names(self.storage)

    def check(self) -> None:
        """Raises OptionError where a study of this name is there and is another search; writes nothing."""
        if not self.exists():
            return
        made, name, identity = self.study(), self.spec.study, self.spec.identity()
        held: Any = made.user_attrs.get(_IDENTITY)
        if held is None and not made.get_trials(deepcopy=False):
            return  # made a moment ago, by another machine
        hint = "give a hydra.sweeper.study_name of its own"
        require(isinstance(held, dict), _OPTION, name, f"has trials that are not of ganvas; {hint}")
        for key, said in _WHAT.items():
            if held.get(key) != identity[key]:
                raise OptionError(_OPTION, name, f"{said}{_differing(held, identity, key)}; {hint}")
        require(made.directions == self.directions, _OPTION, name, f"has other directions; {hint}")
        for one in self.storage.get_all_trials(self.id, deepcopy=False):
            wrong = self._damage(one)
            reason = f"its trial {one.number} is damaged ({wrong}); put a copy of its storage back, or {hint}"
            require(wrong is None, _OPTION, name, reason)

    def _damage(self, trial: FrozenTrial) -> str | None:
        """What is wrong with a trial, which anybody may have written into the storage; None: nothing."""
        if not isinstance(trial.system_attrs, dict):
            return "its system_attrs are of another kind"
        if not mapping(is_number)(trial.intermediate_values):
            return "its intermediate values are no numbers"
        if trial.state == TrialState.COMPLETE:
            values = trial.values
            if not listing(is_finite)(values) or len(values) != len(self.spec.objectives):
                return "its values are of another kind"
        for name, one in trial.distributions.items():
            number = not isinstance(one, optuna.distributions.CategoricalDistribution)
            if number and not is_finite(trial.params.get(name)):
                return f"its {name} is no number"
        return misfit(trial.user_attrs, {}, _ATTRIBUTES)

    def study(self, sampler: BaseSampler | None = None, pruner: BasePruner | None = None) -> Study:
        """As it is now."""
        pruner = pruner or optuna.pruners.NopPruner()
        return optuna.load_study(
            study_name=self.spec.study, storage=self.storage, sampler=sampler, pruner=pruner
        )

    def trials(self) -> list[FrozenTrial]:
        """Those that count, in their order.

        A trial that two machines began at once above the number does not, nor does one tried again.
        """
        return [one for one in self.every() if RETRY_OF not in one.user_attrs]

    def every(self) -> list[FrozenTrial]:
        """Those that count, and those tried again."""
        found = self.storage.get_all_trials(self.id, deepcopy=False)
        return sorted((one for one in found if SURPLUS not in one.user_attrs), key=lambda one: one.number)

    def own(self, state: TrialState) -> list[FrozenTrial]:
        """This sweep's trials in a state; RUNNING ones were not told: it was killed or stopped."""
        return [
            one
            for one in self.every()
            if one.state == state and one.user_attrs.get("sweep") == self.spec.owner
        ]

    def create(self, again: FrozenTrial | None = None) -> FrozenTrial:
        """A new trial that carries its owner from its first moment, or a failed one of its values again.

        Optuna changes no trial that was told: what is tried again is another trial.
        """
        attributes: dict[str, Any] = {"sweep": self.spec.owner, "host": socket.gethostname()}
        values: dict[str, Any] = {}
        if again is not None:
            attributes[RETRY_OF] = again.number
            values = {"params": again.params, "distributions": again.distributions}
        fresh = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes, **values)
        return self.storage.get_trial(self.storage.create_new_trial(self.id, fresh))

    def suggest(self, trial_id: int, sampler: BaseSampler, pruner: BasePruner | None) -> dict[str, Any]:
        """The trial's values; those that a killed sweep left are kept.

        A Study of its own each time: one that asks twice sees the trials of the first time.
        """
        trial = optuna.Trial(self.study(sampler, pruner), trial_id)
        return {name: _suggest(trial, name, one) for name, one in self.spec.space.distributions().items()}


def _suggest(trial: optuna.Trial, name: str, one: Any) -> Any:
    if isinstance(one, optuna.distributions.CategoricalDistribution):
        return trial.suggest_categorical(name, one.choices)
    if isinstance(one, optuna.distributions.IntDistribution):
        return trial.suggest_int(name, one.low, one.high, step=one.step, log=one.log)
    return trial.suggest_float(name, one.low, one.high, step=one.step, log=one.log)


def _differing(held: dict[str, Any], asked: dict[str, Any], key: str) -> str:
    """`` (model.latent_dim)``: the entries that differ, where they have names."""
    old, new = held.get(key), asked[key]
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return f" ({', '.join(names)})"
    return f" ({old}, not {new})" if isinstance(old, int | list | str) and key != "experiment" else ""

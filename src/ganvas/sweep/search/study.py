"""A source of jobs that asks an Optuna study what to try next, and tells it how that went.

A trial is one set of values. Its jobs are its repeats: the same config under the seeds seed, seed + 1, ...
They are given out one after the other; once all have ended, the study is told the mean over them of the best
value that each reached. A repeat that fails fails its trial, and the study goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from optuna.trial import FrozenTrial, TrialState

from ganvas.errors import OptionError
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.search.pruner import Tail, make_pruner
from ganvas.sweep.search.sampler import check_sampler, make_sampler
from ganvas.sweep.search.search_spec import Objective
from ganvas.sweep.search.study_handle import RETRY_OF, SURPLUS, StudyHandle

_OVER = ("finished", "failed", "refused", "pruned")
_LEFT = ("interrupted", "timeout")  # can go on: the trial stays open for ``ganvas sweep resume``


class Jobs(Protocol):
    """What a study asks of the sweep that it is in."""

    def add(self, number: int, overrides: Sequence[str], repeat: int) -> Job:
        """The job of a trial's repeat; the same one where it is asked for again, or has the same config.

        Raises:
            OptionError: the overrides make no experiment.
        """

    def result(self, job: Job) -> Result:
        """How a job stands."""

    def metrics(self, job: Job) -> Path:
        """Its metrics.jsonl, there or not."""


@dataclass
class _Trial:
    """A trial that is not told yet."""

    id: int
    number: int
    overrides: list[str]
    repeats: int
    jobs: dict[int, Job] = field(default_factory=dict)  # repeat -> job
    results: dict[int, Result] = field(default_factory=dict)
    tail: Tail | None = None
    pruned: bool = False
    error: str | None = None

    @property
    def wants_job(self) -> bool:
        return not self.pruned and self.error is None and len(self.jobs) < self.repeats

    @property
    def is_over(self) -> bool:
        return not self.wants_job and len(self.results) == len(self.jobs)


class StudySource:
    """See the module.

    Args:
        handle: the study, joined.
        retry: failed trials to try again.
    """

    def __init__(self, handle: StudyHandle, jobs: Jobs, *, retry: Collection[int] = ()) -> None:
        spec = handle.spec
        self.handle, self.jobs, self.spec = handle, jobs, spec
        self.grid = check_sampler(spec.settings, spec.space, len(spec.objectives))
        self.pruner = make_pruner(
            spec.settings, every_examples=spec.every_examples, max_examples=spec.max_examples
        )
        self.n_trials = spec.settings.trials(None if self.grid is None else len(self.grid))
        self._full = False
        self._open = [self._resume_trial(one) for one in handle.own(TrialState.RUNNING)]
        self._open += [self._resume_trial(handle.create(again=one)) for one in self._failed(retry)]

    def next(self) -> Job | None:
        """The next repeat of the oldest trial that lacks one, else the first of a new trial."""
        while True:
            trial = next((one for one in self._open if one.wants_job), None) or self._begin()
            if trial is None:
                return None
            job = self._job(trial)
            if job is not None:
                return job

    def is_done(self) -> bool:
        if any(one.wants_job for one in self._open):
            return False
        self._full = self._full or len(self.handle.trials()) >= self.n_trials
        return self._full

    def ended(self, job: Job, result: Result) -> None:
        for trial in list(self._open):
            for repeat in [repeat for repeat, one in trial.jobs.items() if one.index == job.index]:
                self._note(trial, repeat, result)

    def should_stop(self, job: Job) -> bool:
        """Whether the pruner gives the job's trial up.

        It sees the first repeat alone: so it decides early, and compares trials under one seed. The other
        repeats of a trial that is given up end with it.
        """
        trials = [one for one in self._open if any(mine.index == job.index for mine in one.jobs.values())]
        for trial in trials:
            if not trial.pruned:
                self._report(trial, prune=True)
        return bool(trials) and all(one.pruned for one in trials)

    def _begin(self) -> _Trial | None:
        """A new trial, where the study may have one more."""
        if not self._full and len(self.handle.trials()) < self.n_trials:
            fresh = self.handle.create()
            if self._place(fresh) < self.n_trials:
                self._open.append(self._resume_trial(fresh))
                return self._open[-1]
            # Another machine was faster.
            self.handle.storage.set_trial_user_attr(fresh._trial_id, SURPLUS, True)
            self.handle.storage.set_trial_state_values(fresh._trial_id, TrialState.FAIL)
        self._full = True
        return None

    def _place(self, trial: FrozenTrial) -> int:
        """How many of the trials that count were begun before it."""
        return sum(one.number < trial.number for one in self.handle.trials())

    def _resume_trial(self, trial: FrozenTrial) -> _Trial:
        """A trial with its values, drawn now or before a kill."""
        number, place = trial.number, self._place(trial)
        sampler = make_sampler(self.spec.settings, self.grid, seed=self.spec.seed, number=number, place=place)
        params = self.handle.suggest(trial._trial_id, sampler, self.pruner)
        overrides = self.spec.space.overrides(params)
        self.handle.storage.set_trial_user_attr(trial._trial_id, "overrides", overrides)
        return _Trial(trial._trial_id, number, overrides, self.spec.repeats)

    def _failed(self, retry: Collection[int]) -> list[FrozenTrial]:
        """The trials to try again; not one that is being tried again, or went well since."""
        every = self.handle.every()
        again = {one.user_attrs.get(RETRY_OF) for one in every if one.state != TrialState.FAIL}
        failed = self.handle.own(TrialState.FAIL)
        return [one for one in failed if one.number in retry and one.number not in again]

    def _job(self, trial: _Trial) -> Job | None:
        """The trial's next job, or None where it needs not run."""
        repeat = len(trial.jobs)
        try:
            job = self.jobs.add(trial.number, trial.overrides, repeat)
        except OptionError as error:
            trial.error = str(error)
            self._tell_if_over(trial)
            return None
        runs = any(one.index == job.index for other in self._open for one in other.jobs.values())
        trial.jobs[repeat] = job
        if repeat == 0 and self.pruner is not None:
            first = self.spec.objectives[0]
            trial.tail = Tail(self.jobs.metrics(job), first.metric, first.sign, self.spec.every_examples)
        result = self.jobs.result(job)
        if result.state in _OVER:  # a trial of equal values ran it, or this sweep before it was stopped
            self._note(trial, repeat, result)
            return None
        return None if runs else job

    def _note(self, trial: _Trial, repeat: int, result: Result) -> None:
        if repeat == 0 and not trial.pruned:
            self._report(trial)
        trial.results[repeat] = result
        if result.state in _LEFT:
            self._open.remove(trial)
            return
        trial.pruned = trial.pruned or result.state == "pruned"
        if result.state not in ("finished", "pruned"):
            trial.error = trial.error or f"job {trial.jobs[repeat].index}: {result.error or result.state}"
        self._tell_if_over(trial)

    def _report(self, trial: _Trial, *, prune: bool = False) -> None:
        """Reports what is new, and with ``prune`` asks the pruner after each value."""
        storage = self.handle.storage
        for examples, value in trial.tail.new() if trial.tail is not None else ():
            if examples in storage.get_trial(trial.id).intermediate_values:
                continue
            storage.set_trial_intermediate_value(trial.id, examples, value)
            if prune and self.pruner is not None:
                study = self.handle.study(pruner=self.pruner)
                if self.pruner.prune(study, storage.get_trial(trial.id)):
                    trial.pruned = True
                    return

    def _tell_if_over(self, trial: _Trial) -> None:
        if not trial.is_over:
            return
        told: dict[str, Any] = {"jobs": [job.name for job in trial.jobs.values()]}
        state, means = TrialState.PRUNED, None
        if trial.error is None and not trial.pruned:
            try:
                values = [best_values(result, self.spec.objectives) for result in trial.results.values()]
                state, means = TrialState.COMPLETE, [fmean(column) for column in zip(*values, strict=True)]
                told["repeats"] = values
            except ValueError as error:
                trial.error = str(error)
        if trial.error is not None:
            state, told["error"] = TrialState.FAIL, trial.error
        for name, value in told.items():
            self.handle.storage.set_trial_user_attr(trial.id, name, value)
        self.handle.study().tell(trial.number, means, state)
        self._open.remove(trial)


def best_values(result: Result, objectives: Sequence[Objective]) -> list[float]:
    """The best value of each objective over a run.

    Raises:
        ValueError: the run reported none.
    """
    first = result.optimized or {}
    found = {one.get("metric"): one.get("value") for one in (first, *(first.get("also") or ()))}
    values = []
    for one in objectives:
        value = found.get(one.metric)
        if not isinstance(value, int | float):
            raise ValueError(f"{one.metric} was never reported")
        values.append(float(value))
    return values

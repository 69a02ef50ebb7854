from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from fake_jobs import FakeJobs, numbers
from optuna.trial import TrialState

from ganvas.errors import OptionError
from ganvas.sweep.interface import Job
from ganvas.sweep.search.space import Space, choice, interval
from ganvas.sweep.search.study import StudySource

Source = Callable[..., StudySource]


def play(source: StudySource, jobs: FakeJobs, most: int = 1000) -> list[Job]:
    """Runs jobs one after the other, each with the value (x - 0.3)^2, until none is left."""
    ran = []
    while (job := source.next()) is not None:
        ran.append(job)
        x = numbers(jobs.overrides[job.index])["x"]
        source.ended(job, jobs.end(job, value=(x - 0.3) ** 2 + job.repeat))
        if len(ran) == most:
            break
    return ran


def states(source: StudySource) -> list[str]:
    return [trial.state.name for trial in source.handle.trials()]


def test_asks_and_tells(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=5)
    ran = play(made, jobs)
    assert made.is_done()
    assert [job.variant for job in ran] == [0, 1, 2, 3, 4]
    for job, trial in zip(ran, made.handle.trials(), strict=True):
        assert trial.value == pytest.approx((trial.params["x"] - 0.3) ** 2, rel=1e-12)
        assert jobs.overrides[job.index] == [f"x={trial.params['x']}"] == trial.user_attrs["overrides"]
    assert len({trial.params["x"] for trial in made.handle.trials()}) == 5


def test_a_trial_is_the_mean_of_its_repeats(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=2, repeats=3)
    assert [(job.variant, job.repeat) for job in play(made, jobs)] == [
        (t, r) for t in (0, 1) for r in (0, 1, 2)
    ]
    for trial in made.handle.trials():
        value = (trial.params["x"] - 0.3) ** 2
        assert trial.value == pytest.approx(value + (0 + 1 + 2) / 3)
        assert trial.user_attrs["repeats"] == [[pytest.approx(value + repeat)] for repeat in (0, 1, 2)]


def test_a_failed_repeat_fails_its_trial_and_the_study_goes_on(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=3, repeats=2)
    first = made.next()
    made.ended(first, jobs.end(first, state="failed", error="it broke"))
    rest = play(made, jobs)
    assert [(job.variant, job.repeat) for job in rest] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert states(made) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert made.handle.trials()[0].user_attrs["error"] == "job 0: it broke"


def test_what_never_reports_or_composes_is_a_failed_trial(source: Source, tmp_path: Path) -> None:
    jobs = FakeJobs(tmp_path, refuse=lambda words: numbers(words)["x"] > 0.5)
    made = source(n_trials=12, jobs_=jobs)
    while (job := made.next()) is not None:
        made.ended(job, jobs.end(job, value=None if job.index == 0 else 1.0))
    told = made.handle.trials()
    failed = [trial for trial in told if trial.state == TrialState.FAIL]
    above = [trial for trial in told if trial.params["x"] > 0.5]
    assert 0 < len(above) < 11
    assert len(failed) == len(above) + 1
    assert sum("m was never reported" in trial.user_attrs["error"] for trial in failed) == 1
    assert all("makes no experiment" in trial.user_attrs["error"] for trial in above)


@pytest.mark.parametrize("storage", [None, "shared.log", "sqlite:///shared.db"])
def test_killed_after_any_call_no_trial_is_lost_or_run_twice(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str | None
) -> None:
    """A new source after every single call: what the old one knew is gone, as after a kill."""
    monkeypatch.chdir(tmp_path)
    jobs, began, told = FakeJobs(tmp_path), [], []
    for _ in range(30):
        made = source(n_trials=3, repeats=2, storage=storage, jobs_=jobs)
        if made.is_done() and not made._open:
            break
        job = made.next()
        if job is None:
            continue
        began.append(job.index)
        result = jobs.end(job, value=numbers(jobs.overrides[job.index])["x"])
        if len(began) % 2:
            made.ended(job, result)  # else: killed between the job's end and this
            told.append(job.index)
    assert began == [0, 1, 2, 3, 4, 5]
    assert 0 < len(told) < 6
    straight = source(n_trials=3, repeats=2, storage=storage, jobs_=jobs)
    assert states(straight) == ["COMPLETE"] * 3
    assert [trial.value for trial in straight.handle.trials()] == [
        pytest.approx(trial.params["x"]) for trial in straight.handle.trials()
    ]


class Killed(BaseException):
    """The sweep's process is gone."""


def test_killed_at_any_write_no_trial_is_lost_or_run_twice(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th write of the storage is the last thing that its process does, for every n."""
    from optuna.storages.journal import JournalFileBackend

    write, left = JournalFileBackend.append_logs, [0]

    def dying(self: JournalFileBackend, logs: list) -> None:
        write(self, logs)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(JournalFileBackend, "append_logs", dying)
    drawn = set()
    for number in range(1, 40):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        jobs, began = FakeJobs(folder), []
        for left[0] in (number, 10**9):  # the second process goes on with what the first has left
            try:
                made = source(n_trials=3, jobs_=jobs, storage=str(folder / "study.log"))
                while (job := made.next()) is not None:
                    began.append(job.index)
                    made.ended(job, jobs.end(job, value=numbers(jobs.overrides[job.index])["x"]))
            except Killed:
                continue
        assert began in ([0, 1, 2], [0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2])
        assert began == [0, 1, 2], "a job whose result is there is not run again"
        trials = made.handle.trials()
        assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
        drawn.add(tuple(trial.value for trial in trials))
    assert len(drawn) == 1, "a study that was killed draws what a straight one does"


def test_the_same_seed_draws_the_same(source: Source, tmp_path: Path) -> None:
    def drawn(name: str, seed: int, sampler: str) -> list[float]:
        jobs = FakeJobs(tmp_path)
        made = source(
            n_trials=8, seed=seed, sampler=sampler, startup_trials=3, jobs_=jobs, storage=str(tmp_path / name)
        )
        play(made, jobs)
        return [trial.params["x"] for trial in made.handle.trials()]

    for sampler in ("tpe", "random", "cmaes"):
        first = drawn(f"{sampler}1", 1, sampler)
        assert drawn(f"{sampler}2", 1, sampler) == first
        assert drawn(f"{sampler}3", 2, sampler) != first
        assert len(set(first)) == 8


def test_tpe_learns(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=40)
    play(made, jobs)
    values = [trial.value for trial in made.handle.trials()]
    assert sum(values[-10:]) < sum(values[:10])
    assert abs(made.handle.study().best_params["x"] - 0.3) < 0.05


def test_grid_is_every_combination_once(source: Source, jobs: FakeJobs) -> None:
    space = Space((choice("x", ["1", "2"]), choice("y", ["3", "4", "5"])))
    made = source(space=space, sampler="grid", n_trials=None)
    ran = play(made, jobs)
    assert [tuple(jobs.overrides[job.index]) for job in ran] == [
        (f"x={x}", f"y={y}") for x in (1, 2) for y in (3, 4, 5)
    ]
    more = source(space=space, sampler="grid", n_trials=100)
    assert more.is_done()
    assert more.next() is None


def test_a_grids_last_failed_combination_is_tried_again(source: Source, jobs: FakeJobs) -> None:
    options = {"space": Space((choice("x", ["1", "2"]),)), "sampler": "grid", "n_trials": None}
    made = source(**options)
    play(made, jobs, most=1)
    job = made.next()
    made.ended(job, jobs.end(job, state="failed"))
    del jobs.results[job.index]
    again = source(retry=[1], **options)
    assert [jobs.overrides[one.index] for one in play(again, jobs)] == [["x=2"]]
    assert states(again) == ["COMPLETE", "FAIL"]
    assert [one.state.name for one in again.handle.every()] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_equal_values_are_trained_once(source: Source, jobs: FakeJobs) -> None:
    made = source(space=Space((choice("x", ["0.1", "0.2"]),)), n_trials=8, sampler="random")
    assert len(play(made, jobs)) == 2
    assert states(made) == ["COMPLETE"] * 8
    assert {(trial.params["x"], round(trial.value, 9)) for trial in made.handle.trials()} == {
        ("0.1", 0.04),
        ("0.2", 0.01),
    }


def test_equal_values_of_two_running_trials_wait_for_one_job(source: Source, jobs: FakeJobs) -> None:
    made = source(space=Space((choice("x", ["0.1"]),)), n_trials=3)
    job = made.next()
    assert made.next() is None
    assert made.is_done()
    made.ended(job, jobs.end(job, value=0.5))
    assert [trial.value for trial in made.handle.trials()] == [0.5, 0.5, 0.5]


def test_parallel_jobs(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=4, repeats=2)
    running = [made.next() for _ in range(8)]
    assert made.next() is None
    assert made.is_done()
    for job in reversed(running):
        made.ended(job, jobs.end(job, value=float(job.index)))
    assert [trial.value for trial in made.handle.trials()] == [0.5, 2.5, 4.5, 6.5]


def test_several_objectives(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=2, objectives=(("a", "min"), ("b", "max")))
    for values in ({"a": 1.0, "b": 2.0}, {"b": 5.0, "a": 0.5}):
        job = made.next()
        made.ended(job, jobs.end(job, values=values))
    assert [trial.values for trial in made.handle.trials()] == [[1.0, 2.0], [0.5, 5.0]]
    assert [trial.number for trial in made.handle.study().best_trials] == [1]


def test_interrupted_jobs_go_on_as_the_same_trial(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=2)
    job = made.next()
    made.ended(job, jobs.end(job, state="interrupted"))
    assert states(made) == ["RUNNING"]
    again = source(n_trials=2)
    resumed = again.next()
    assert resumed == job
    again.ended(resumed, jobs.end(resumed, value=0.25))
    play(again, jobs)
    assert states(again) == ["COMPLETE", "COMPLETE"]
    assert again.handle.trials()[0].value == 0.25


def test_two_machines_share_the_number_of_trials(source: Source, tmp_path: Path) -> None:
    path = str(tmp_path / "shared.log")
    machines = []
    for owner in ("one", "two"):
        (tmp_path / owner).mkdir()
        jobs = FakeJobs(tmp_path / owner)
        machines.append((source(n_trials=7, owner=owner, storage=path, jobs_=jobs), jobs))
    ran = [0, 0]
    while not all(made.is_done() for made, _ in machines):
        for side, (made, jobs) in enumerate(machines):
            ran[side] += len(play(made, jobs, most=1))
    assert sum(ran) == 7
    assert ran in ([4, 3], [3, 4])
    trials = machines[0][0].handle.trials()
    assert [trial.user_attrs["sweep"] for trial in trials].count("one") == ran[0]
    assert len({trial.params["x"] for trial in trials}) == 7


def test_another_machines_open_trials_are_left_alone(source: Source, tmp_path: Path) -> None:
    path = str(tmp_path / "shared.log")
    first, second = FakeJobs(tmp_path), FakeJobs(tmp_path)
    theirs = source(n_trials=2, owner="one", storage=path, jobs_=first).next()
    made = source(n_trials=2, owner="two", storage=path, jobs_=second)
    ran = play(made, second)
    assert [job.variant for job in ran] == [1]
    assert theirs.variant == 0
    assert states(made) == ["RUNNING", "COMPLETE"]


def test_a_trial_above_the_number_is_not_run(
    source: Source, jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines look at once: both see room for one more."""
    made = source(n_trials=2)
    play(made, jobs, most=1)
    look, looked = made.handle.trials, []

    def late() -> list:
        if not looked:
            looked.append(True)
            before = look()
            made.handle.create()  # the other machine's, after this one has looked
            return before
        return look()

    monkeypatch.setattr(made.handle, "trials", late)
    assert made.next() is None
    assert made.is_done()
    assert len(look()) == 2
    assert len(made.handle.study().trials) == 3


def test_another_search_is_refused(source: Source, jobs: FakeJobs) -> None:
    source()
    with pytest.raises(OptionError, match=r"study_name=s: looks at another search space \(x\)"):
        source(space=Space((interval("x", 0.0, 2.0),)))
    with pytest.raises(OptionError, match=r"search space \(x, y\)"):
        source(space=Space((interval("y", 0.0, 1.0),)))
    with pytest.raises(OptionError, match="optimizes other metrics"):
        source(objectives=(("m", "max"),))
    with pytest.raises(OptionError, match=r"sweep.repeats\) \(1, not 2\)"):
        source(repeats=2)


def test_a_study_of_somebody_else_is_refused(source: Source, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/theirs.db"
    study = optuna.create_study(storage=url, study_name="s")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(OptionError, match="has trials that are not of ganvas"):
        source(storage=url)

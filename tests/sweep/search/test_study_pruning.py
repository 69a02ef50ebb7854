"""What the pruner sees and does while trials run."""

from __future__ import annotations

from collections.abc import Callable

from fake_jobs import FakeJobs

from ganvas.sweep.search.study import StudySource

Source = Callable[..., StudySource]


def states(source: StudySource) -> list[str]:
    return [trial.state.name for trial in source.handle.trials()]


def rows(*values: float, every: int = 10) -> list[dict]:
    return [{"examples": every * (place + 1), "m": value} for place, value in enumerate(values)]


def finish(source: StudySource, jobs: FakeJobs, *values: float) -> None:
    job = source.next()
    jobs.write(job, rows(*values))
    source.ended(job, jobs.end(job, value=min(values)))


def test_median_prunes_what_is_worse_than_most(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=5, pruner="median", pruner_startup_trials=2, repeats=1)
    finish(made, jobs, 5.0, 3.0, 1.0)
    finish(made, jobs, 6.0, 4.0, 2.0)
    worse, better = made.next(), made.next()
    jobs.write(worse, rows(9.0))
    jobs.write(better, rows(4.0))
    assert made.should_stop(worse)
    assert not made.should_stop(better)
    jobs.write(better, [{"examples": 20, "m": 3.9}, {"examples": 20, "other": 0.0}])
    assert made.should_stop(better)  # the median at 20 examples is 3.5
    made.ended(worse, jobs.end(worse, state="pruned"))
    made.ended(better, jobs.end(better, state="pruned"))
    assert states(made) == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED"]
    assert [trial.intermediate_values for trial in made.handle.trials()] == [
        {10: 5.0, 20: 3.0, 30: 1.0},
        {10: 6.0, 20: 4.0, 30: 2.0},
        {10: 9.0},
        {10: 4.0, 20: 3.9},
    ]


def test_larger_is_better_where_the_mode_says_so(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=3, pruner="median", pruner_startup_trials=1, objectives=(("m", "max"),))
    job = made.next()
    jobs.write(job, rows(5.0, 7.0, 6.0))
    made.ended(job, jobs.end(job, value=7.0))
    assert made.handle.trials()[0].intermediate_values == {10: 5.0, 20: 7.0, 30: 7.0}
    low, high = made.next(), made.next()
    jobs.write(low, rows(4.0))
    jobs.write(high, rows(6.0))
    assert made.should_stop(low)
    assert not made.should_stop(high)


def test_the_first_repeat_decides_for_all(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=2, pruner="median", pruner_startup_trials=1, repeats=3)
    for repeat in range(3):
        job = made.next()
        jobs.write(job, rows(1.0, 1.0))
        made.ended(job, jobs.end(job, value=1.0))
        assert job.repeat == repeat
    first, second = made.next(), made.next()
    jobs.write(second, rows(99.0))
    assert not made.should_stop(second)
    jobs.write(first, rows(2.0))
    assert made.should_stop(first)
    assert made.should_stop(second)
    made.ended(first, jobs.end(first, state="pruned"))
    assert states(made) == ["COMPLETE", "RUNNING"]
    made.ended(second, jobs.end(second, state="pruned"))
    assert states(made) == ["COMPLETE", "PRUNED"]
    assert made.next() is None


def test_hyperband_prunes(source: Source, jobs: FakeJobs) -> None:
    made = source(n_trials=30, pruner="hyperband")
    pruned = 0
    while (job := made.next()) is not None:
        value = float(job.index)  # each worse than all before it
        for examples in range(10, 91, 10):
            jobs.write(job, [{"examples": examples, "m": value}])
            if made.should_stop(job):
                pruned += 1
                made.ended(job, jobs.end(job, state="pruned"))
                break
        else:
            made.ended(job, jobs.end(job, value=value))
    assert states(made).count("PRUNED") == pruned
    assert 8 <= pruned <= 28


def test_a_pruned_trial_stays_pruned_after_a_kill(source: Source, jobs: FakeJobs) -> None:
    options = {"n_trials": 2, "pruner": "median", "pruner_startup_trials": 1}
    made = source(**options)
    finish(made, jobs, 1.0, 1.0)
    job = made.next()
    jobs.write(job, rows(5.0))
    assert made.should_stop(job)
    jobs.end(job, state="pruned")  # the mark beside the job's record
    again = source(**options)
    assert again.next() is None
    assert states(again) == ["COMPLETE", "PRUNED"]

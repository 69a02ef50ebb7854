"""The pool with an engine that does what it is told: retries, limits, early stops, signals."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import RunFolder
from ganvas.sweep import pool as pool_module
from ganvas.sweep.grid import Grid
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Draft, Manifest
from ganvas.sweep.pool import Pool, PoolOptions
from ganvas.sweep.records import Record, result_of


class Scripted:
    """Each attempt at a job ends with the next of its codes; ``None`` runs until it is stopped."""

    outlives = False

    def __init__(self, sweep: Manifest, codes: dict[int, list[int | None]], slots: int = 1) -> None:
        self.sweep, self.codes, self.most = sweep, codes, slots
        self.running: dict[int, int | None] = {}
        self.log: list[tuple[str, int]] = []
        self.most_at_once = 0

    def slots(self) -> int:
        return self.most - len(self.running)

    def fits(self, job: Job) -> bool:
        return True

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.log.append(("start", job.index))
            Record(self.sweep.folder, job.index).begin()
            self.running[job.index] = self.codes[job.index].pop(0)
            self.most_at_once = max(self.most_at_once, len(self.running))

    def ended(self) -> list[tuple[int, int]]:
        over = [(index, code) for index, code in self.running.items() if code is not None]
        for index, code in over:
            del self.running[index]
            if code >= 0:  # a killed process writes nothing
                Record(self.sweep.folder, index).end(
                    code, RunFolder(self.sweep.folder / "none"), "it said so"
                )
        return over

    def stop(self, indices: Sequence[int]) -> None:
        for index in indices:
            self.log.append(("stop", index))
            self.running[index] = 143

    def kill(self, indices: Sequence[int]) -> None:
        self.log += [("kill", index) for index in indices]

    def close(self) -> None:
        self.running.clear()


@pytest.fixture
def sweep(tmp_path: Path) -> Manifest:
    made = Manifest(tmp_path / "sweep", {})
    config = {"paths": {"run_dir": "<run>"}, "seed": 0}
    made.add(
        [Draft(config | {"seed": seed}, {}, {}, [f"seed={seed}"], f"seed-{seed}", seed) for seed in range(4)]
    )
    made.write()
    return made


def run(
    sweep: Manifest,
    codes: dict[int, list[int | None]],
    source: Grid | None = None,
    slots: int = 1,
    **options: object,
) -> tuple[Pool, Scripted]:
    engine = Scripted(sweep, codes, slots)
    pool = Pool(sweep, source or Grid(sweep.jobs), engine, PoolOptions(**options))  # type: ignore[arg-type]
    pool.run()
    return pool, engine


def states(sweep: Manifest) -> list[str]:
    return [result_of(sweep, job).state for job in sweep.jobs]


def starts(engine: Scripted) -> list[int]:
    return [index for what, index in engine.log if what == "start"]


def test_every_job_is_run_once_and_two_at_a_time(sweep: Manifest) -> None:
    pool, engine = run(sweep, {0: [0], 1: [2], 2: [1], 3: [0]}, slots=2)
    assert starts(engine) == [0, 1, 2, 3]
    assert engine.most_at_once == 2
    assert states(sweep) == ["finished", "refused", "failed", "finished"]
    assert sorted(pool.failed) == [1, 2]
    assert pool.signal is None


def test_retries_are_for_crashes_alone(sweep: Manifest) -> None:
    """A refused job would be refused again; a killed one may live."""
    _, engine = run(sweep, {0: [1, -9, 0], 1: [2], 2: [1, 1, 1], 3: [143]}, retries=2)
    assert {index: starts(engine).count(index) for index in range(4)} == {0: 3, 1: 1, 2: 3, 3: 1}
    assert states(sweep) == ["finished", "refused", "failed", "interrupted"]


def test_on_error_stop_lets_those_end_that_run(sweep: Manifest) -> None:
    pool, engine = run(sweep, {0: [1], 1: [0], 2: [0], 3: [0]}, slots=2, on_error="stop")
    assert starts(engine) == [0, 1]
    assert states(sweep) == ["failed", "finished", "waiting", "waiting"]
    assert pool.failed == [0]


def test_a_job_is_stopped_at_its_limit(sweep: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LOOK", 0.0)
    _, engine = run(sweep, {0: [None], 1: [0], 2: [0], 3: [0]}, timeout=0.2)
    assert ("stop", 0) in engine.log
    assert states(sweep) == ["timeout", "finished", "finished", "finished"]
    _, engine = run(sweep, {0: [0]}, Grid(sweep.jobs[:1]))  # begun again, the mark is gone
    assert states(sweep)[0] == "finished"


class Pruning(Grid):
    """Stops the second job as soon as it is asked about it."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(jobs)
        self.told: list[tuple[int, str]] = []

    def should_stop(self, job: Job) -> bool:
        return job.index == 1

    def ended(self, job: Job, result: Result) -> None:
        self.told.append((job.index, result.state))


def test_a_source_can_stop_a_job_early(sweep: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LOOK", 0.0)
    source = Pruning(sweep.jobs)
    run(sweep, {0: [0], 1: [None], 2: [0], 3: [1]}, source)
    assert source.told == [(0, "finished"), (1, "pruned"), (2, "finished"), (3, "failed")]
    assert states(sweep)[1] == "pruned"


def test_who_does_not_end_is_ended_by_force(sweep: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LOOK", 0.0)
    monkeypatch.setattr(pool_module, "_GRACE", 0.1)

    class Deaf(Scripted):
        def stop(self, indices: Sequence[int]) -> None:
            self.log += [("stop", index) for index in indices]

        def kill(self, indices: Sequence[int]) -> None:
            for index in indices:
                self.log.append(("kill", index))
                self.running[index] = -9

    engine = Deaf(sweep, {0: [None]})
    Pool(sweep, Grid(sweep.jobs[:1]), engine, PoolOptions(timeout=0.1)).run()
    assert [what for what, _ in engine.log] == ["start", "stop", "kill"]
    assert states(sweep)[0] == "timeout"


def test_a_signal_stops_all_and_hands_out_no_more(sweep: Manifest) -> None:
    engine = Scripted(sweep, {0: [None], 1: [None], 2: [0], 3: [0]}, slots=2)
    source = Pruning(sweep.jobs)
    source.should_stop = lambda job: False  # type: ignore[method-assign]

    sent: list[int] = []

    def stop_it(job: Job, result: Result) -> None:
        if job.index == 1 and not sent:
            sent.append(1)
            os.kill(os.getpid(), signal.SIGINT)

    pool = Pool(sweep, source, engine, PoolOptions(), stop_it)
    before = signal.getsignal(signal.SIGINT)
    pool.run()
    assert signal.getsignal(signal.SIGINT) is before
    assert pool.signal == signal.SIGINT
    assert starts(engine) == [0, 1]
    assert states(sweep) == ["interrupted", "interrupted", "waiting", "waiting"]
    assert source.told == []  # they are not over


@pytest.mark.parametrize("outlives", [True, False])
def test_a_lost_terminal_leaves_the_jobs_of_a_cluster_alone(sweep: Manifest, outlives: bool) -> None:
    engine = Scripted(sweep, {0: [None], 1: [None], 2: [0], 3: [0]}, slots=2)
    engine.outlives = outlives
    sent: list[int] = []

    def hang_up(job: Job, result: Result) -> None:
        if job.index == 1 and not sent:
            sent.append(1)
            os.kill(os.getpid(), signal.SIGHUP)

    pool = Pool(sweep, Grid(sweep.jobs), engine, PoolOptions(), hang_up)
    pool.run()
    assert pool.signal == signal.SIGHUP
    assert starts(engine) == [0, 1]
    assert sorted(engine.running) == ([0, 1] if outlives else [])
    assert [what for what, _ in engine.log if what != "start"] == ([] if outlives else ["stop", "stop"])


def test_a_finished_job_is_told_although_the_pool_stops(sweep: Manifest) -> None:
    engine = Scripted(sweep, {0: [0], 1: [0], 2: [0], 3: [0]})
    source = Pruning(sweep.jobs)
    sent: list[int] = []

    def stop_it(job: Job, result: Result) -> None:
        if not sent:
            sent.append(1)
            os.kill(os.getpid(), signal.SIGTERM)

    Pool(sweep, source, engine, PoolOptions(), stop_it).run()
    assert source.told == [(0, "finished")]


def test_a_run_that_finished_although_its_record_did_not(sweep: Manifest) -> None:
    """Killed in its last second, or gone on with by hand."""
    Record(sweep.folder, 0).begin()
    folder = sweep.run_dir(sweep.jobs[0])
    folder.mkdir()
    (folder / "status.json").write_text(
        json.dumps({"state": "finished", "examples_seen": 5, "metrics": {"a": 1.0}})
    )
    found = result_of(sweep, sweep.jobs[0])
    assert (found.state, found.examples_seen, found.metrics) == ("finished", 5, {"a": 1.0})


@pytest.mark.parametrize(
    ("options", "name"),
    [({"timeout": 0.0}, "timeout"), ({"retries": -1}, "retries"), ({"on_error": "cry"}, "on_error")],
)
def test_wrong_options(options: dict, name: str) -> None:
    with pytest.raises(OptionError, match=name):
        PoolOptions(**options)

"""Simulated devices: CUDA_VISIBLE_DEVICES is what there is."""

from __future__ import annotations

from typing import Any

import pytest

from ganvas.errors import OptionError
from ganvas.sweep import devices
from ganvas.sweep.devices import gpu_pool, parallel_jobs
from ganvas.sweep.interface import Job


def jobs(*asked: int) -> list[Job]:
    return [Job(index=i, key=str(i), name="x", differs=[], variant=i, devices=n) for i, n in enumerate(asked)]


@pytest.fixture(autouse=True)
def _four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,5,GPU-a")
    monkeypatch.setattr(devices, "cpu_cores", lambda: 4)


@pytest.mark.parametrize(
    ("asked", "pool"),
    [
        (None, None),
        ("auto", ["0", "1", "5", "GPU-a"]),
        ([5, 0], ["5", "0"]),
        ("1,5", ["1", "5"]),
        (1, ["1"]),
        (["GPU-a"], ["GPU-a"]),
    ],
)
def test_a_pool(asked: Any, pool: list[str] | None) -> None:
    assert gpu_pool(asked) == pool


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([0, 2], "there is no GPU 2; there are: 0, 1, 5, GPU-a"),
        ([0, 0], "twice"),
        ([], "names none"),
        ("", "names none"),
    ],
)
def test_a_pool_that_there_is_not(asked: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        gpu_pool(asked)


def test_no_gpu_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(OptionError, match="has no GPU"):
        gpu_pool("auto")


@pytest.mark.parametrize(
    ("asked", "gpus", "n_jobs", "per_job", "at_a_time"),
    [
        ([1, 1], 4, None, None, 4),
        ([1, 1], 4, 2, None, 2),
        ([2, 2], 4, None, None, 2),
        ([1, 1], 4, None, 3, 1),
        ([1, 4], 4, 3, None, 3),  # the one that asks for four waits until all are free
        ([1, 1], None, None, None, 1),
        ([1, 1], None, 4, None, 4),
        ([2], None, 2, None, 2),
    ],
)
def test_how_many_at_a_time(
    asked: list[int], gpus: int | None, n_jobs: int | None, per_job: int | None, at_a_time: int
) -> None:
    pool = None if gpus is None else [str(number) for number in range(gpus)]
    assert parallel_jobs(jobs(*asked), n_jobs=n_jobs, gpus=pool, gpus_per_job=per_job) == at_a_time


@pytest.mark.parametrize(
    ("asked", "gpus", "n_jobs", "per_job", "says"),
    [
        ([1], 2, 3, None, "n_jobs=3: the pool of 2 GPUs has room for 2"),
        ([4], 2, None, None, "gpus_per_job=null: a job asks for 4 GPUs and the pool has 2"),
        ([1], 2, None, 3, "gpus_per_job=3: a job asks for 3 GPUs and the pool has 2"),
        ([1], 4, 3, 2, "n_jobs=3: the pool of 4 GPUs has room for 2"),
        ([1], None, 5, None, "n_jobs=5: this machine has 4 cores"),
        ([2], None, 3, None, "n_jobs=3: this machine has 4 cores and a job asks for 2: room for 2"),
        ([1], None, 0, None, "n_jobs=0: must be at least 1"),
        ([1], 2, 1, 0, "gpus_per_job=0: must be at least 1"),
        ([1], None, 1, 1, "gpus_per_job=1: shares out a pool, and there is none"),
    ],
)
def test_more_than_there_is(
    asked: list[int], gpus: int | None, n_jobs: int, per_job: int | None, says: str
) -> None:
    pool = None if gpus is None else [str(number) for number in range(gpus)]
    with pytest.raises(OptionError, match="^" + says):
        parallel_jobs(jobs(*asked), n_jobs=n_jobs, gpus=pool, gpus_per_job=per_job)

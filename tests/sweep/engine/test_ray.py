"""Jobs as tasks of a real Ray cluster of this machine; the jobs themselves are stand-ins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from stand_in import StandIn, did, planned

from ganvas.errors import OptionError
from ganvas.sweep.engine.ray import Ray, RayOptions
from ganvas.sweep.interface import Job

# Not imported here: what Ray reads from the environment, it reads when it is imported.
absent = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'ganvas[ray]'")
pytestmark = [pytest.mark.ray, absent]
STOPPED = 128 + signal.SIGTERM


def jobs(count: int) -> list[Job]:
    return [Job(index=i, key=str(i), name=f"{i:03d}", differs=[], variant=i) for i in range(count)]


def until(fits: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.05)


def ended(made: Ray, count: int) -> dict[int, int]:
    found: dict[int, int] = {}

    def enough() -> bool:
        found.update(made.ended())
        return len(found) >= count

    until(enough)
    return found


def processes(*words: str) -> list[str]:
    """Living processes with all the words in their command lines."""
    lines = subprocess.run(
        ["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in lines.splitlines() if all(word in line for word in words)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ray]:
    """One cluster for all tests, the second one of this process. Home is a folder that must stay empty."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HOME", str(home))
        patched.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "helpers"))
        Ray(StandIn(tmp_path_factory.mktemp("first")), RayOptions(num_cpus=0.25)).close()
        made = Ray(StandIn(tmp_path_factory.mktemp("sweep")), RayOptions(num_cpus=0.25))
        own = made._own
        assert own is not None
        yield made
        handler = signal.getsignal(signal.SIGTERM)
        made.close()
        assert handler == signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "Ray's own would end the sweep"
        assert not Path(own).exists()
        until(lambda: not processes(own))
        assert list(home.iterdir()) == []


@pytest.fixture
def made(cluster: Ray, tmp_path: Path) -> Callable[..., Ray]:
    """The cluster with another sweep: ``made(j0="0", j1="wait")``."""

    def make(**plans: str) -> Ray:
        cluster.command = planned(tmp_path, **plans)
        cluster.folder = tmp_path / "ray" / "one"
        return cluster

    return make


def test_codes_come_back(made: Callable[..., Ray]) -> None:
    engine = made(j0="0", j1="3", j2="die", j3="2")
    assert engine.slots() == 4 * (os.cpu_count() or 1)
    engine.start(jobs(4))
    assert engine.slots() == 4 * (os.cpu_count() or 1) - 4
    assert ended(engine, 4) == {0: 0, 1: 3, 2: -signal.SIGKILL, 3: 2}
    assert engine.ended() == []


def test_stop_is_one_signal_and_kill_leaves_nothing(made: Callable[..., Ray], tmp_path: Path) -> None:
    engine = made(j0="wait", j1="deaf", j2="wait")
    engine.start(jobs(3))
    until(lambda: all(did(tmp_path, index) for index in range(3)))
    engine.stop([0, 1])
    assert ended(engine, 1) == {0: STOPPED}
    assert did(tmp_path, 0) == ["wait 15"]
    engine.kill([1])
    assert ended(engine, 1) == {1: -signal.SIGKILL}
    until(lambda: not processes("stand_in.py", str(tmp_path), " 1"))
    engine.stop([2])
    assert ended(engine, 1) == {2: STOPPED}


def test_a_task_whose_worker_dies_counts_as_killed(made: Callable[..., Ray], tmp_path: Path) -> None:
    engine = made(j0="wait")
    engine.start(jobs(1))
    until(lambda: did(tmp_path, 0))
    (job,) = processes("stand_in.py", str(tmp_path))
    status = Path(f"/proc/{job.split()[0]}/status").read_text()
    worker = int(next(line for line in status.splitlines() if line.startswith("PPid")).split()[1])
    os.kill(worker, signal.SIGKILL)
    assert ended(engine, 1) == {0: -signal.SIGKILL}
    until(lambda: not processes("stand_in.py", str(tmp_path)))


def test_a_job_sees_the_sweeps_variables_its_secrets_and_none_of_rays(
    made: Callable[..., Ray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANVAS_DATA", "/there")
    engine = made(j0="env")
    engine.command = replace(engine.command, secrets={0: {"a.key": "hush"}, 1: {"a.key": "another"}})
    engine.start(jobs(1))
    assert ended(engine, 1) == {0: 0}
    seen = json.loads((tmp_path / "did" / "0.env").read_text())
    assert seen["GANVAS_DATA"] == "/there"
    assert json.loads(seen["GANVAS_SECRETS"]) == {"a.key": "hush"}
    assert not [name for name in seen if name.startswith("RAY_")]


def test_an_address_where_nothing_answers() -> None:
    """In a process of its own: Ray is connected once in a process."""
    source = """
from pathlib import Path
from ganvas.sweep.command import JobCommand
from ganvas.sweep.engine.ray import Ray, RayOptions
Ray(JobCommand(Path("sweep")), RayOptions(address="nonsense"))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=120, check=False
    )
    assert "OptionError: address=nonsense: Ray cannot be reached" in done.stderr


@pytest.mark.parametrize("bad", [{"num_cpus": 0}, {"num_gpus": -1}, {"n_jobs": 0}])
def test_bad_options(bad: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=f"^{next(iter(bad))}="):
        RayOptions(**bad)  # type: ignore[arg-type]

"""Jobs as job arrays of a real SLURM of one machine; the jobs themselves are stand-ins."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_cluster import ask, no_waiting, preempt, until
from stand_in import StandIn, did, planned

from ganvas.errors import OptionError
from ganvas.sweep.engine.slurm import Slurm
from ganvas.sweep.engine.slurm_options import SlurmOptions
from ganvas.sweep.interface import Job

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]
STOPPED = 128 + signal.SIGTERM


def jobs(count: int) -> list[Job]:
    return [Job(index=i, key=str(i), name=f"{i:03d}", differs=[], variant=i) for i in range(count)]


def engine(command: StandIn, **options: object) -> Slurm:
    return Slurm(command, SlurmOptions(poll_s=0.1, **options))  # type: ignore[arg-type]


def ended(made: Slurm, count: int) -> dict[int, int]:
    """Index -> exit code of the next jobs that end."""
    found: dict[int, int] = {}

    def enough() -> bool:
        no_waiting()
        found.update(made.ended())
        return len(found) >= count

    until(enough)
    return found


def begun(sweep: Path, indices: Sequence[int], attempt: int = 1) -> None:
    """Waits for the jobs' attempts."""

    def there() -> bool:
        no_waiting()
        return all(len(did(sweep, index)) >= attempt for index in indices)

    until(there)


def queue(form: str) -> list[str]:
    return ask("squeue", "--noheader", "--array", f"--format={form}").split()


def test_a_batch_is_one_array_and_codes_come_back(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="0", j1="3", j2="die", j3="2"))
    assert made.slots() >= 4
    made.start(jobs(4))
    numbers = queue("%F")
    assert len(numbers) == 4
    assert len(set(numbers)) == 1
    assert ended(made, 4) == {0: 0, 1: 3, 2: -signal.SIGKILL, 3: 2}
    assert made.ended() == []


def test_stop_reaches_running_jobs_once_and_empties_the_queue(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="wait", j1="wait", j2="wait"), array_parallelism=2)
    made.start(jobs(3))
    begun(tmp_path, [0, 1])
    made.stop([0, 1, 2])
    assert ended(made, 3) == {0: STOPPED, 1: STOPPED, 2: STOPPED}
    assert did(tmp_path, 0) == did(tmp_path, 1) == ["wait 15"]
    assert did(tmp_path, 2) == []


@pytest.mark.parametrize("name", ["USR1", "USR2"])
def test_a_warned_job_goes_back_into_the_queue(name: str, tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="wait 0"))
    made.start(jobs(1))
    begun(tmp_path, [0])
    ask("scancel", f"--signal={name}", *queue("%A"))
    assert ended(made, 1) == {0: 0}
    assert did(tmp_path, 0) == [f"wait {getattr(signal, 'SIG' + name).value}", "0 "]


def test_a_preempted_job_goes_on_afterwards(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="wait 0", j1="wait 0"), partition="low")
    made.start(jobs(2))
    begun(tmp_path, [0, 1])
    preempt()
    assert ended(made, 2) == {0: 0, 1: 0}
    assert did(tmp_path, 0) == did(tmp_path, 1) == ["wait 12", "0 "]


def test_a_job_preempted_without_grace_goes_on_too(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="wait 0", j1="wait 0"), partition="abrupt")
    made.start(jobs(2))
    begun(tmp_path, [0, 1])
    preempt()
    assert ended(made, 2) == {0: 0, 1: 0}
    assert [line.split()[0] for line in did(tmp_path, 0)] == ["wait", "0"]


def test_scancel_is_the_end(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="wait 0"))
    made.start(jobs(1))
    begun(tmp_path, [0])
    ask("scancel", *queue("%A"))
    assert ended(made, 1) == {0: STOPPED}
    until(lambda: not queue("%A"))
    assert len(did(tmp_path, 0)) == 1


def test_a_stopped_job_is_not_put_back_by_a_warning(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="wait"))
    made.start(jobs(1))
    begun(tmp_path, [0])
    (stopped,) = tmp_path.glob("slurm/*/submission.json")
    (stopped.parent / "0.stop").touch()
    ask("scancel", "--signal=USR2", *queue("%A"))
    assert ended(made, 1) == {0: 128 + signal.SIGUSR2}


def test_a_later_process_takes_over_what_runs(tmp_path: Path) -> None:
    command = planned(tmp_path, j0="wait 0", j1="0", j2="0")
    engine(command).start(jobs(2))  # and this one is gone
    begun(tmp_path, [0])
    until(lambda: len(queue("%A")) == 1)
    later = engine(command)
    later.start(jobs(3))
    assert len(list(tmp_path.glob("slurm/*"))) == 2, "only what does not run is submitted"
    assert ended(later, 2) == {1: 0, 2: 0}
    assert len(did(tmp_path, 0)) == 1
    later.stop([0])
    assert ended(later, 1) == {0: STOPPED}
    assert len(did(tmp_path, 1)) == 2


def test_close_ends_what_runs(tmp_path: Path) -> None:
    made = engine(planned(tmp_path, j0="deaf", j1="wait"), array_parallelism=1)
    made.start(jobs(2))
    begun(tmp_path, [0])
    made.close()
    until(lambda: not queue("%A"))
    assert did(tmp_path, 1) == []
    alive = subprocess.run(["pgrep", "-f", f"stand_in.py {tmp_path}"], capture_output=True, check=False)
    assert alive.stdout == b""


def test_no_answer_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(planned(tmp_path, j0="0"))
    made.start(jobs(1))
    until(lambda: not queue("%A"))
    with monkeypatch.context() as patched:
        (tmp_path / "squeue").write_text(
            "#!/bin/sh\necho slurm_load_jobs error: Unable to contact >&2\nexit 1\n"
        )
        (tmp_path / "squeue").chmod(0o755)
        patched.setenv("PATH", str(tmp_path), prepend=":")
        for _ in range(5):
            assert made.ended() == []
            time.sleep(0.11)
    assert ended(made, 1) == {0: 0}


def test_jobs_see_nothing_of_the_allocation_that_the_sweep_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SLURM_MEM_PER_CPU": "7",
        "SLURM_NTASKS": "9",
        "RANK": "3",
        "LOCAL_RANK": "1",
    }.items():
        monkeypatch.setenv(name, value)
    command = planned(tmp_path, j0="env")
    made = engine(replace(command, secrets={0: {"a.key": "hush"}, 1: {"a.key": "another"}}))
    made.start(jobs(1))
    assert ended(made, 1) == {0: 0}
    seen = json.loads((tmp_path / "did" / "0.env").read_text())
    assert not {"SLURM_MEM_PER_CPU", "RANK", "LOCAL_RANK", "GANVAS_SECRETS_OF_ALL"} & set(seen)
    assert seen["SLURM_NTASKS"] == "1"
    assert json.loads(seen["GANVAS_SECRETS"]) == {"a.key": "hush"}
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".env"]
    assert not any(b"hush" in content for content in written)


def test_sbatch_is_asked_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="invalid partition specified: nowhere"):
        engine(StandIn(tmp_path), partition="nowhere")
    assert list(tmp_path.iterdir()) == []

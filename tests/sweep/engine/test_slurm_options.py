"""What of SLURM's options is refused, and what submitit is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.sweep.command import JobCommand
from ganvas.sweep.engine import ray, slurm
from ganvas.sweep.engine.slurm_options import SlurmOptions


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout_min", 4),
        ("nodes", 0),
        ("tasks_per_node", 0),
        ("cpus_per_task", 0),
        ("gpus_per_node", -1),
        ("array_parallelism", 0),
        ("max_num_timeout", -1),
        ("mem_gb", 0.0),
        ("poll_s", 0.0),
        ("signal_delay_s", 0),
        ("signal_delay_s", 1801),
        ("partition", "a b"),
        ("account", "x\ntouch /tmp/y"),
        ("qos", "$(id)"),
    ],
)
def test_a_bad_option_is_named(option: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"^{option}="):
        SlurmOptions(**{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "value"), [("a\nb", "1"), ("constraint", "a\nrm"), ("-x", 1), ("", 1)])
def test_further_options_are_lines_of_a_script_and_stay_so(key: str, value: object) -> None:
    with pytest.raises(OptionError, match=r"^additional_parameters\."):
        SlurmOptions(additional_parameters={key: value})  # type: ignore[dict-item]


def test_what_submitit_is_told() -> None:
    options = SlurmOptions(
        timeout_min=5,
        mem_gb=1.5,
        cpus_per_task=3,
        nodes=2,
        tasks_per_node=4,
        additional_parameters={"constraint": "a100"},
    )
    told = options.parameters()
    assert told["time"] == 5
    assert told["mem"] == "1536M"
    assert told["srun_args"] == ["--cpus-per-task=3", "--kill-on-bad-exit=1"]
    assert told["additional_parameters"] == {"requeue": True, "constraint": "a100"}
    assert "partition" not in told
    assert "srun_args" not in SlurmOptions().parameters()


def test_what_is_not_installed_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = JobCommand(tmp_path)
    for module in (slurm, ray):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"hydra/launcher=slurm: needs .*pip install 'ganvas\[slurm\]'"):
        slurm.Slurm(command, SlurmOptions())
    with pytest.raises(OptionError, match=r"hydra/launcher=ray: needs .*pip install 'ganvas\[ray\]'"):
        ray.Ray(command, ray.RayOptions())
    monkeypatch.undo()
    monkeypatch.setattr(slurm, "find_spec", lambda name: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError, match="needs SLURM's sbatch, srun"):
        slurm.Slurm(command, SlurmOptions())
    assert list(tmp_path.iterdir()) == []

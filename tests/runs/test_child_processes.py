"""Nothing that a command starts executes what the current folder has under the names of Python's modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SMOKE = ("trainer=smoke", "callback=minimal", "logger=none", "callback.evaluation.num_samples=64")
_TRAPS = (
    "json",
    "types",
    "random",
    "signal",
    "secrets",
    "pickle",
    "socket",
    "struct",
    "yaml",
    "numpy",
    "torch",
)
_SPAWN = """
import multiprocessing
import sys

import torch

from ganvas.data.loading.loader import TensorLoader
from ganvas.data.loading.stored import Stored

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    stored = Stored(torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1), None)
    loader = TensorLoader(stored, batch_size=4, seed=1, training=False, num_workers=1)
    sys.path.insert(0, "of the parent")
    print([batch.x.flatten().tolist() for batch in loader])
"""


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``ganvas WORDS`` as the console script, in a folder of traps; none may have been executed."""
    for name in _TRAPS:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write('{name} ')\n")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, *(["-P"] if words[0] == "-m" else []), *words]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        executed = tmp_path / "executed"
        assert not executed.exists(), executed.read_text()
        assert done.returncode == 0, done
        return done

    return run


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that name a module of the user's, which is installed elsewhere."""
    (tmp_path / "installed").mkdir()
    source = "from pytorch_lightning import Callback\n\n\nclass Quiet(Callback):\n    pass\n"
    (tmp_path / "installed" / "outside.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"), prepend=os.pathsep)
    return ["++callback.outside._target_=outside.Quiet", "--allow-imports", "outside"]


def _states(*words: str) -> list[str]:
    command = [sys.executable, "-P", "-m", "ganvas", "sweep", "status", *words, "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return [job["state"] for job in told["jobs"]]


@pytest.mark.real_processes
@pytest.mark.slow
def test_jobs_their_ranks_and_their_loaders(trapped: Callable[..., Any]) -> None:
    words = ("seed=1", "accelerator=ddp_cpu", "data.num_workers=1", "hydra.sweep.dir=sweep")
    trapped("-m", "ganvas", "train", "-m", *words, *SMOKE)
    assert _states("sweep") == ["finished"]


@pytest.mark.real_processes
@pytest.mark.slow
def test_loaders_that_are_spawned(trapped: Callable[..., Any], tmp_path: Path) -> None:
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text(_SPAWN)
    assert trapped(str(script)).stdout.strip() == "[[0, 1, 2, 3], [4, 5, 6, 7]]"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'ganvas[ray]'")
def test_jobs_on_ray(
    trapped: Callable[..., Any], own: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ("seed=1", "hydra/launcher=ray", "hydra.sweep.dir=sweep", "accelerator=cpu")
    trapped("-m", "ganvas", "train", "-m", *words, *SMOKE, *own)
    assert _states("sweep") == ["finished"]


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_jobs_on_slurm(trapped: Callable[..., Any], own: list[str]) -> None:
    words = ("seed=1", "hydra/launcher=slurm", "hydra.sweep.dir=sweep", "accelerator=cpu")
    trapped("-m", "ganvas", "train", "-m", *words, "hydra.launcher.poll_s=0.5", *SMOKE, *own)
    assert _states("sweep") == ["finished"]

"""What several tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import slurm_cluster
import torch

# torchmetrics imports matplotlib where it is installed, and that writes a list of fonts.
os.environ.setdefault("MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / f"ganvas-tests-{os.getuid()}"))
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:  # a shell's background jobs, nohup, and what they start
        signal.signal(number, handler)

torch.set_num_threads(1)  # tiny tensors: a second thread only waits, and spins where cores are shared


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


_PREAMBLE = """
import sys
import torch
import torch.distributed as dist

torch.set_num_threads(1)
rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
"""
_END = """
torch.save(result, f"{folder}/{rank}.pt")
dist.destroy_process_group()
"""


@pytest.fixture
def two_ranks(tmp_path: Path) -> Callable[[str], list[Any]]:
    """Runs source text on two gloo ranks, where ``rank`` is set; gives back each rank's ``result``."""

    def run(source: str) -> list[Any]:
        script = _PREAMBLE + textwrap.dedent(source) + _END
        ranks = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(rank), str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            for process in ranks:
                output, _ = process.communicate(timeout=120)
                assert process.returncode == 0, output
        finally:
            for process in ranks:
                process.kill()
        return [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]

    return run


@pytest.fixture(scope="session")
def _slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if (reason := slurm_cluster.missing()) is not None:
        pytest.skip(reason)
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture
def slurm(_slurm: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A SLURM of this machine, empty before and after the test; skips where none can be started."""
    helpers = str(Path(slurm_cluster.__file__).parent)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([helpers, *filter(None, [os.environ.get("PYTHONPATH")])])
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    slurm_cluster.ask("scancel", "--user=root", "--signal=KILL", "--full")
    slurm_cluster.ask("scancel", "--user=root")
    slurm_cluster.until(lambda: not slurm_cluster.ask("squeue", "--noheader"))

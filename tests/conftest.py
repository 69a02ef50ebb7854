"""What several tests share."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
import slurm_cluster
import torch

from ganvas.run.lean_import import keep_torchmetrics_lean

_HELPERS = str(Path(forked.__file__).parent)

keep_torchmetrics_lean()
# matplotlib writes a list of fonts where it is imported first.
os.environ.setdefault("MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / f"ganvas-tests-{os.getuid()}"))
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:  # a shell's background jobs, nohup, and what they start
        signal.signal(number, handler)

torch.set_num_threads(1)  # tiny tensors: a second thread only waits, and spins where cores are shared


def _with_helpers() -> str:
    """PYTHONPATH with tests/helpers in it."""
    return os.pathsep.join([_HELPERS, *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def _fork_server() -> Iterator[Callable[[], str]]:
    """Gives the address of a fork server; it is started when something is to be forked."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda: stack.enter_context(forked.server()))


@pytest.fixture(autouse=True)
def _forked_children(request: pytest.FixtureRequest, _fork_server: Callable[[], str]) -> Iterator[None]:
    """``python -m ganvas ...`` and ranks are forks that have imported all; not under ``real_processes``."""
    if any(request.node.get_closest_marker(name) for name in ("real_processes", "slurm", "ray")):
        yield
        return
    with forked.forking(_fork_server):
        yield


@pytest.fixture
def two_ranks(tmp_path: Path) -> Callable[[str], list[Any]]:
    """Runs source text on two gloo ranks, where ``rank`` is set; gives back each rank's ``result``."""

    def run(source: str) -> list[Any]:
        (tmp_path / "source.py").write_text(textwrap.dedent(source))
        environment = os.environ | {"PYTHONPATH": _with_helpers()}
        ranks = [
            subprocess.Popen(
                [sys.executable, "-m", "rank_script", str(rank), str(tmp_path)],
                env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            for rank in range(2)
        ]  # fmt: skip
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
    monkeypatch.setenv("PYTHONPATH", _with_helpers())
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    slurm_cluster.ask("scancel", "--user=root", "--signal=KILL", "--full")
    slurm_cluster.ask("scancel", "--user=root")
    slurm_cluster.until(lambda: not slurm_cluster.ask("squeue", "--noheader"))

"""Which signals end a run at once, and which say nothing new."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ganvas.run.deferred_validation import DeferredValidation
from ganvas.run.ending.stop_on_signal import StopOnSignal
from ganvas.run.folder.run_folder import RunFolder


class Left(Exception):
    """The process would have ended."""


@pytest.fixture
def stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StopOnSignal:
    def leave(code: int) -> None:
        raise Left(code)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return StopOnSignal(RunFolder(tmp_path), DeferredValidation())


def test_a_second_signal_ends_a_run_at_once(stop: StopOnSignal) -> None:
    stop.catch(signal.SIGTERM, None)
    with pytest.raises(Left, match=str(128 + signal.SIGTERM)):
        stop.catch(signal.SIGINT, None)


def test_under_slurm_a_run_saves_whatever_else_slurm_sends(
    stop: StopOnSignal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGTERM):
        stop.catch(number, None)
    assert stop.signal == signal.SIGUSR2
    with pytest.raises(Left, match=str(128 + signal.SIGUSR2)):  # somebody at a keyboard
        stop.catch(signal.SIGINT, None)

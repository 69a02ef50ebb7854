"""Which signals end a run at once, and which say nothing new."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.lifeline import Lifeline


class Left(Exception):
    """The process would have ended."""


@pytest.fixture
def lifeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lifeline:
    def leave(code: int) -> None:
        raise Left(code)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return Lifeline(RunFolder(tmp_path))


def test_a_second_signal_ends_a_run_at_once(lifeline: Lifeline) -> None:
    lifeline.catch(signal.SIGTERM, None)
    with pytest.raises(Left, match=str(128 + signal.SIGTERM)):
        lifeline.catch(signal.SIGINT, None)


def test_under_slurm_a_run_saves_whatever_else_slurm_sends(
    lifeline: Lifeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGTERM):
        lifeline.catch(number, None)
    assert lifeline.signal == signal.SIGUSR2
    with pytest.raises(Left, match=str(128 + signal.SIGUSR2)):  # somebody at a keyboard
        lifeline.catch(signal.SIGINT, None)

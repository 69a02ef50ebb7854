"""Runs the stages of a pipeline that are left, each in a process of its own, until one does not end well."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from ganvas.pipeline.definition import Stage
from ganvas.pipeline.manifest import Pipeline
from ganvas.run.process.session import end_session, start_session
from ganvas.run.process.signals import STOPS, handle

STOPPED = tuple(128 + number for number in STOPS)


@dataclass
class Drive:
    """One attempt at what is left of a pipeline.

    A stage trains or works as a command of its own does: nothing of the stage before it is in its process
    (random numbers, threads, memory of a device), so that a stage of a pipeline that was killed is the same.

    Args:
        pipeline: in whose folder this process holds the lock.
        argv_of: a stage's command line.
        environment_of: the environment of its process.
        tell: called with a stage before it begins.
    """

    pipeline: Pipeline
    argv_of: Callable[[Stage], Sequence[str]]
    environment_of: Callable[[Stage], Mapping[str, str]]
    tell: Callable[[Stage], None]
    signal: int | None = field(default=None, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _came: int = field(default=0, init=False)
    _handed: int = field(default=0, init=False)

    def run(self) -> tuple[int, Stage | None]:
        """The exit code, and the stage that did not end well; (0, None) where nothing is left to do.

        A signal goes to the stage's process, which saves and ends; the second one too, and ends it at once.
        """
        restore = handle(self._caught)
        try:
            for stage in self.pipeline.stages:
                if self.pipeline.is_finished(stage):
                    if stage.state != "finished":  # killed before it could note so
                        self.pipeline.note(stage, "finished", 0)
                    continue
                code = self._attempt(stage) if self.signal is None else 128 + self.signal
                if code != 0:
                    return code, stage
            return 0, None
        finally:
            if self._process is not None:
                end_session(self._process)
                self._process.wait()
            restore()

    def _attempt(self, stage: Stage) -> int:
        self.pipeline.note(stage, "running")
        self.tell(stage)
        self._process = start_session(self.argv_of(stage), self.environment_of(stage))
        self._hand_on()  # what came before there was anybody to take it
        ended = self._process.wait()
        end_session(self._process)
        self._process = None
        code = ended if ended >= 0 else 128 - ended
        state = "finished" if code == 0 else "interrupted" if code in STOPPED or ended < 0 else "failed"
        with contextlib.suppress(OSError):  # a full disk: the run's own status.json and the exit code tell
            self.pipeline.note(stage, state, code)
        return code

    def _caught(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._came += 1
        self._hand_on()

    def _hand_on(self) -> None:
        while self._process is not None and self.signal is not None and self._handed < self._came:
            self._handed += 1
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self.signal)


def says(code: int) -> str:
    """How a stage with this exit code ended, for a line about it."""
    if code in STOPPED:
        return f"stopped by {signal.Signals(code - 128).name}"
    if code > 128:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(code - 128).name}"
    return f"failed with exit code {code}"

"""A job of a sweep for tests of engines: no training, it does what its plan says.

``<sweep>/plan/<index>`` holds one word for each attempt: a number is the exit code, ``wait`` runs until a
signal comes and ends with 128 + its number, ``die`` kills the process, ``deaf`` waits and heeds no signal,
``env`` lists its environment. What it did is a line of ``<sweep>/did/<index>``: the word, and the signals.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ganvas.run.process.orphan import watch_parent
from ganvas.sweep.command import JobCommand

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True)
class StandIn(JobCommand):
    """Jobs whose process is this file."""

    def argv(self, index: int) -> list[str]:
        return [sys.executable, __file__, str(self.sweep), str(index)]


def planned(sweep: Path, **plans: str) -> StandIn:
    """``planned(folder, j0="0", j1="wait 0")``: the sweep and what each attempt at each job does."""
    for name in ("plan", "did", "jobs"):
        (sweep / name).mkdir(parents=True, exist_ok=True)
    for name, plan in plans.items():
        (sweep / "plan" / name.removeprefix("j")).write_text(plan)
    return StandIn(sweep)


def did(sweep: Path, index: int) -> list[str]:
    """What the attempts at a job did so far."""
    path = sweep / "did" / str(index)
    return path.read_text().splitlines() if path.exists() else []


def main(sweep: Path, index: str) -> int:
    watch_parent()
    caught: list[int] = []

    def catch(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    for number in SIGNALS:
        signal.signal(number, catch)
    attempt = len(did(sweep, int(index)))
    with (sweep / "did" / index).open("a") as file:
        plan = (sweep / "plan" / index).read_text().split()
        word = plan[min(attempt, len(plan) - 1)]
        print(word, end=" ", file=file, flush=True)
        if word == "env":
            (sweep / "did" / f"{index}.env").write_text(json.dumps(dict(os.environ)))
            word = "0"
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while word in ("wait", "deaf") and (word == "deaf" or not caught):
            time.sleep(0.02)
        time.sleep(0.3)  # a signal that comes twice comes now
        print(*caught, file=file, flush=True)
    return 128 + caught[0] if caught else int(word)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

"""Two gloo ranks in processes of their own: kills and stops of either, no orphan, the same run in the end.

A launcher is a fork of this process and its ranks are forks of it, so that a start costs no imports; where
the start itself is broken, all three are real processes that import.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from forge import Try
from fork_here import Fork
from recipes import BATCH, Plan, checkpoint, checkpoints, resume_words, train_words

from compare import difference, states

TITLE = "two ranks: kills and stops"
MINIMUM = 8
NEEDS: list[tuple[str, int]] = []

_STEPS = 120  # batches; a run goes on while it is decided to stop it
_NEW = 3  # checkpoints that are waited for before each stop
_GONE = 5.0  # seconds in which every process must follow its launcher
_TRAINING = ("state_dict", "optimizer_states", "ganvas_clock", "global_step", "epoch")


@dataclass
class Stop:
    """How one stretch of a run ends.

    ``ranks`` get the signal (-1: the launcher; ``all``: the process group, as a terminal sends it); ``code``
    is the launcher's exit code that must come, None where it is killed or may only not be 0.
    """

    name: str
    number: int
    ranks: tuple[int, ...] | str
    code: int | None = None
    while_starting: bool = False
    times: int = 1


_CHAINS = {
    "kills": [
        Stop("SIGKILL-rank-1", signal.SIGKILL, (1,)),
        Stop("SIGKILL-rank-0", signal.SIGKILL, (0,)),
        Stop("SIGKILL-the-launcher", signal.SIGKILL, (-1,)),
        Stop("SIGKILL-all", signal.SIGKILL, (1, 0, -1)),
        Stop("SIGKILL-launcher-at-start", signal.SIGKILL, (-1,), while_starting=True),
    ],
    "stops": [
        Stop("SIGTERM-rank-0", signal.SIGTERM, (0,), 143),
        Stop("SIGTERM-the-launcher", signal.SIGTERM, (-1,), 143),
        Stop("SIGINT-group", signal.SIGINT, "all", 130),
        Stop("SIGTERM-group", signal.SIGTERM, "all", 143),
        Stop("SIGUSR1-rank-0", signal.SIGUSR1, (0,), 138),
        Stop("SIGINT-twice-group", signal.SIGINT, "all", 130, times=2),
    ],
}


def tries(plan: Plan) -> Iterator[Try]:
    """Every chain makes its uninterrupted run too; the two are compared in the end."""
    for chain, stops in _CHAINS.items():
        recipe = "mlp_gan" if chain == "kills" else "vqvae"
        for again in range(3 if plan.nightly else 1):
            yield Try(
                f"{chain}-{recipe}-{again}",
                lambda folder, r=recipe, s=stops: _chain(folder, r, s),
                timeout=600.0,
            )


def _chain(folder: Path, recipe: str, stops: list[Stop]) -> tuple[str | None, int]:
    words = train_words(recipe, 0, "accelerator=ddp_cpu", f"trainer.max_examples={_STEPS * BATCH}")
    words.remove("accelerator=cpu")
    whole, broken = folder / "whole", folder / "broken"
    if text := _run_to_end(whole, words):
        return f"the uninterrupted run: {text}", 1
    straight, run = whole / "run", broken / "run"
    for number, stop in enumerate(stops):
        again = resume_words(recipe) if (run / "run.yaml").exists() else words
        if text := _stretch(broken, again, stop):
            return f"{stop.name}: {text}", number + 1
        last = max(checkpoints(run), default=None)
        if last is not None:
            step = int(last.stem) // BATCH
            if text := states(checkpoint(straight, step), last, _TRAINING):
                return f"{stop.name}: the checkpoint of batch {step}: {text}", number + 1
    if text := _run_to_end(broken, resume_words(recipe)):
        return f"resumed to the end: {text}", len(stops)
    return difference(straight, run), len(stops)


def _start(folder: Path, words: list[str], *, imports: bool = False) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    with (folder / f"{len(list(folder.glob('*.log'))):02d}.log").open("wb") as out:
        return (subprocess.Popen if imports else Fork)(
            [sys.executable, "-m", "ganvas", *words],
            cwd=folder,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _said(folder: Path) -> str:
    return " | ".join(max(folder.glob("*.log")).read_text().strip().splitlines()[-4:])[-800:]


def _run_to_end(folder: Path, words: list[str]) -> str | None:
    process = _start(folder, words)
    try:
        code = process.wait(120)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"no end after 120 s: {_said(folder)}"
    return _orphans(process) or (None if code == 0 else f"exit {code}: {_said(folder)}")


def _stretch(folder: Path, words: list[str], stop: Stop) -> str | None:
    """One start and its stop; what was wrong with it."""
    run = folder / "run"
    process = _start(folder, words, imports=stop.while_starting)
    wanted = len(checkpoints(run)) + _NEW
    reached: Callable[[], bool] = lambda: len(checkpoints(run)) >= wanted  # noqa: E731
    if stop.while_starting:
        reached = lambda: 1 in _ranks(process)  # noqa: E731
    deadline = time.monotonic() + 120
    while not reached():
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            return f"it ended before the fault, exit {process.returncode}: {_said(folder)}"
        time.sleep(0.002)
    if stop.while_starting:
        time.sleep(1.0)  # the second rank imports
    ranks = _ranks(process)
    for _ in range(stop.times):
        if stop.ranks == "all":
            os.killpg(process.pid, stop.number)
        else:
            for rank in stop.ranks:
                os.kill(ranks[int(rank)], stop.number)
        time.sleep(0.005)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        alive = _ranks(process)
        _end(process)
        return f"ranks {sorted(alive)} alive 30 s after it: {_said(folder)}"
    if text := _orphans(process):
        return text
    return _evaluate(stop, process.returncode, run, folder)


def _evaluate(stop: Stop, code: int, run: Path, folder: Path) -> str | None:
    if code == 0 or (stop.code is not None and code != stop.code):
        return f"exit {code}, not {stop.code}: {_said(folder)}"
    if stop.code is None:
        went_on = checkpoint(run, _STEPS).exists()
        return "the ranks that were left trained on to the end" if went_on else None
    status = json.loads((run / "status.json").read_text())
    newest = int(max(checkpoints(run)).stem)
    if status["state"] != "interrupted" or (stop.times == 1 and status["examples_seen"] != newest):
        return f"status {status['state']} at {status['examples_seen']} examples, newest checkpoint {newest}"
    return None


def _orphans(process: subprocess.Popen[bytes]) -> str | None:
    """Whether a process of the run is alive 5 s after its launcher's end."""
    ended = time.monotonic()
    while (left := _session(process.pid)) and time.monotonic() < ended + _GONE:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return f"{len(left)} processes outlived their launcher by {_GONE:g} s" if left else None


def _end(process: subprocess.Popen[bytes]) -> None:
    for pid in _session(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def _session(leader: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == leader and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def _ranks(process: subprocess.Popen[bytes]) -> dict[int, int]:
    """Rank to process number: each carries LOCAL_RANK, a fork in its name; -1 is the launcher."""
    found = {-1: process.pid}
    for pid in _session(process.pid):
        try:
            name = Path(f"/proc/{pid}/comm").read_text()
            pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        rank = name.removeprefix("rank ").strip() if name.startswith("rank ") else None
        for pair in pairs:
            if pair.startswith(b"LOCAL_RANK="):
                rank = pair.partition(b"=")[2].decode()
        if rank is not None and pid != process.pid:
            found[int(rank)] = pid
    return found

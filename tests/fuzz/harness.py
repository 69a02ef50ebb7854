"""Children that run tries one after the other, and a parent that knows which one was running when one dies.

A child is a fork of a process that has imported everything. It is asked for a try by a line on a pipe
(``class number``) and answers with a line of JSON; the parent ends one that takes too long, says where it
stood, and starts another one.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import resource
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from judge import LONGEST, Verdict, innermost, judge
from subject import Subject, draws_of
from world import World

_TRIES_OF_A_CHILD = 200  # then another one takes over: nothing that a try leaves behind lasts
_MEMORY = 8 << 30  # bytes of address space of a child beyond its parent's
_POLL = 0.5  # seconds between two looks at a try that runs
IDLE_POLLS = 12  # one that has computed nothing since, and could not, waits for ever


@dataclass(frozen=True)
class Ended:
    """A try that is over; ``cost`` is the processor time that it took, its files' damage included."""

    subject: str
    number: int
    verdict: Verdict
    cost: float


class Child:
    """One process that runs tries."""

    def __init__(self, subjects: dict[str, Subject], world: World, seed: int, place: Path) -> None:
        handle, name = tempfile.mkstemp(prefix="child-", dir=place)
        os.close(handle)
        self.log = Path(name)
        asks, self._asking = os.pipe()
        self.answers, answering = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                _close_others(asks, answering)
                _serve(asks, answering, subjects, world, seed, place, self.log)
                code = 0
            finally:
                os._exit(code)
        os.close(asks)
        os.close(answering)
        self.running: tuple[str, int] | None = None
        self._began = self._used = self._looked = 0.0
        self._idle = 0
        self.tries = 0
        self._read = b""

    def ask(self, subject: str, number: int) -> None:
        self.running, self._began = (subject, number), time.monotonic()
        self._used = self._looked = _used(self.pid)
        self._idle = 0
        self.tries += 1
        os.write(self._asking, f"{subject} {number}\n".encode())

    def answer(self) -> Ended | None:
        """What the running try came to; None while it runs. The child may be dead afterwards."""
        assert self.running is not None
        piece = os.read(self.answers, 1 << 16)
        self._read += piece
        if piece and not self._read.endswith(b"\n"):
            return None
        if not piece:
            return self._ended(Verdict(self._death(), -1, time.monotonic() - self._began))
        verdict = Verdict(**json.loads(self._read))
        self._read = b""
        return self._ended(verdict)

    def overdue(self) -> Ended | None:
        """Called every half second: ends a try that takes too long; None where none does."""
        if self.running is None:
            return None
        used = _used(self.pid)
        waits = used - self._looked < 0.01 and _state_of(self.pid) in ("S", "D")
        self._idle = self._idle + 1 if waits else 0
        self._looked = used
        if used - self._used < LONGEST + 1 and self._idle < IDLE_POLLS:
            return None
        os.kill(self.pid, signal.SIGUSR2)  # faulthandler says where it is
        time.sleep(0.2)
        what = "waits for ever" if waits else "computes for ever"
        verdict = Verdict(f"{what}: {self._stood()}", -1, time.monotonic() - self._began)
        ended = self._ended(verdict)
        self._stop(signal.SIGKILL)
        return ended

    def _ended(self, verdict: Verdict) -> Ended:
        assert self.running is not None
        (subject, number), self.running = self.running, None
        cost = _used(self.pid) - self._used if self.pid else verdict.seconds
        return Ended(subject, number, verdict, cost)

    def end(self) -> None:
        os.close(self._asking)
        os.close(self.answers)
        if self.pid:
            self._stop(None)
        self.log.unlink(missing_ok=True)

    def _death(self) -> str:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "os._exit"
        return f"the process died of {how}: {self._stood()}"

    def _stop(self, number: int | None) -> None:
        if number is not None:
            os.kill(self.pid, number)
        os.waitpid(self.pid, 0)
        self.pid = 0

    def _stood(self) -> str:
        text = self.log.read_text(errors="replace")
        frames = re.findall(r'File "([^"]+)", line (\d+)', text)
        return " < ".join(":".join((*name.split("/")[-2:], line)) for name, line in frames[:5])


def _close_others(*kept: int) -> None:
    """The ends of pipes to the parent's other children, which would live as long as this one."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) > 2 and int(name) not in kept:
                os.close(int(name))


def _stat(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def _state_of(pid: int) -> str:
    """R: it computes or could; S, D: it waits."""
    return _stat(pid)[0]


def _used(pid: int) -> float:
    """Seconds of processor time, of all threads."""
    return sum(map(int, _stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


def _serve(
    asks: int,
    answering: int,
    subjects: dict[str, Subject],
    world: World,
    seed: int,
    place: Path,
    log: Path,
) -> None:
    """The child's life."""
    handle = os.open(log, os.O_WRONLY)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    faulthandler.enable(handle)
    faulthandler.register(signal.SIGUSR2, handle, all_threads=False)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, resource.RLIM_INFINITY))
    with os.fdopen(asks) as lines:
        for line in lines:
            name, number = line.split()
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-{number}-", dir=place))
            verdict = one_try(subjects[name], world, seed, int(number), folder)
            remove(folder)
            os.write(answering, (json.dumps(asdict(verdict)) + "\n").encode())


def one_try(subject: Subject, world: World, seed: int, number: int, folder: Path) -> Verdict:
    """Try ``number`` of a class, in an empty folder."""
    os.chdir(folder)
    try:
        reader = subject.lay(world, folder, draws_of(subject.name, seed, number))
    except Exception as error:
        return Verdict(f"the files could not be laid out: {innermost(error)}", -1, 0.0)
    return judge(reader, folder)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def fuzz(
    subjects: dict[str, Subject],
    world: World,
    *,
    seed: int,
    place: Path,
    workers: int,
    goes_on: Callable[[dict[str, int]], str | None],
) -> Iterator[Ended]:
    """Tries until ``goes_on`` (class -> tries begun) names no more classes; yields each as it ends."""
    begun = dict.fromkeys(subjects, 0)
    children = [Child(subjects, world, seed, place) for _ in range(workers)]

    def ask(index: int) -> None:
        """Gives a child that waits its next try, or the try to another one that takes over."""
        name = goes_on(begun)
        if name is None:
            return
        if not children[index].pid or children[index].tries >= _TRIES_OF_A_CHILD:
            children[index].end()
            children[index] = Child(subjects, world, seed, place)
        children[index].ask(name, begun[name])
        begun[name] += 1

    looked = time.monotonic()
    try:
        while True:
            for index, child in enumerate(children):
                if child.running is None:
                    ask(index)
            busy = {child.answers: child for child in children if child.running is not None}
            if not busy:
                return
            ready, _, _ = select.select(list(busy), [], [], _POLL)
            answers = [busy[handle].answer() for handle in ready]
            if time.monotonic() - looked > _POLL:
                looked = time.monotonic()
                answers += [child.overdue() for child in children]
            yield from (ended for ended in answers if ended is not None)
    finally:
        for child in children:
            if child.running is not None:
                os.kill(child.pid, signal.SIGKILL)
            child.end()

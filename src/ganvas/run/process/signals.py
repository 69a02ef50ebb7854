"""The signals that ask a process to save and end; a handler for them is put in, and taken out again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


def handle(
    handler: Callable[[int, FrameType | None], None], numbers: Sequence[int] = STOPS
) -> Callable[[], None]:
    """Installs a handler (in the main thread alone); returns what puts the old ones back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    # nohup and a shell's background jobs ask for some of them to be ignored
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    old = {number: signal.signal(number, handler) for number in heeded}

    def restore() -> None:
        for number, before in old.items():
            signal.signal(number, before)

    return restore


class Terminated(BaseException):
    """SIGTERM or SIGHUP, raised where the process was, so that it removes what it has written in part.

    Attributes:
        code: the exit code, 128 + the signal's number.
        name: of the signal.
    """

    def __init__(self, number: int) -> None:
        self.code, self.name = 128 + number, signal.Signals(number).name
        super().__init__(self.name)


def raise_terminated() -> Callable[[], None]:
    """From now on the first of these signals raises :class:`Terminated`, further ones do nothing.

    Returns:
        what puts the old handlers back.
    """
    process, came = os.getpid(), False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal came
        if os.getpid() != process:  # a child by a fork, which may run somebody else's code
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not came:
            came = True
            raise Terminated(number)

    return handle(end, (signal.SIGTERM, signal.SIGHUP))

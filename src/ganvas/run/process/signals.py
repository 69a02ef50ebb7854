"""The signals that ask a process to save and end; a handler for them is put in, and taken out again."""

from __future__ import annotations

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

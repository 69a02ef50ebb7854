"""No process outlives the one that started it: ranks end with their launcher, jobs with their sweep."""

from __future__ import annotations

import os
import signal
import threading
import time

LAUNCHER = "GANVAS_LAUNCHER"  # set by what starts a job: its process number
_EVERY = 0.5  # seconds between two looks
_GRACE = 3.5  # seconds in which an orphaned job may save and end; a rank alone can do neither


def watch_parent() -> None:
    """Starts a thread that ends this process soon after its parent; call it first thing in the process.

    A rank (``LOCAL_RANK`` is set) leaves at once: it hangs in a collective that nobody will answer, where no
    handler runs. A job of a sweep gets SIGTERM, saves at the end of its batch, and is ended after a grace.
    """
    launched = os.environ.pop(LAUNCHER, None)  # this process's affair, not that of what it starts
    is_rank = "LOCAL_RANK" in os.environ
    if not is_rank and launched is None:
        return
    parent = os.getppid()
    if not is_rank and launched != str(parent):
        if _is_gone(launched):  # killed before this process was as far
            os._exit(128 + signal.SIGTERM)
        return
    threading.Thread(target=_watch, args=(parent, is_rank), name="ganvas-orphan", daemon=True).start()


def _is_gone(launched: str | None) -> bool:
    """Whether the process of this number has ended."""
    if launched is None or not launched.isascii() or not launched.isdigit():
        return False
    try:
        os.kill(int(launched), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _watch(parent: int, is_rank: bool) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY)
    if not is_rank:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
    os._exit(128 + signal.SIGTERM)

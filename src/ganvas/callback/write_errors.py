"""What could not be written: the run goes on, and says so once an event, in train.log and status.json."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("ganvas")


class WriteErrors:
    """The failures of one process's run.

    An event begins with the first failure of something and ends when the same thing works again; a full disk
    is one event, however many rows could not be written.

    Attributes:
        events: ``{"what", "error", "since", "until"}``, oldest first; ``until`` is None while it lasts.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, str | None]] = []
        self._lasting: dict[str, dict[str, str | None]] = {}

    def failed(self, what: str, error: BaseException) -> None:
        if what in self._lasting:
            return
        event = {"what": what, "error": f"{error}", "since": _now(), "until": None}
        self._lasting[what] = event
        self.events.append(event)
        log.warning("%s could not be written (%s); the run goes on", what, error)

    def works(self, what: str) -> None:
        if (event := self._lasting.pop(what, None)) is not None:
            event["until"] = _now()
            log.warning("%s can be written again", what)


def write_errors(trainer: Any) -> WriteErrors:
    """The run's; they live on its trainer, which every callback is handed."""
    return trainer.__dict__.setdefault("ganvas_write_errors", WriteErrors())


@contextmanager
def tolerate_write_errors(trainer: Any, what: str) -> Iterator[None]:
    """Turns an OSError inside into an event: a log, an image or a status must not end a run."""
    try:
        yield
    except OSError as error:
        write_errors(trainer).failed(what, error)
    else:
        write_errors(trainer).works(what)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")

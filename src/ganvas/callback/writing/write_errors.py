"""What could not be written: the run goes on, and says so once an event, in train.log and status.json."""

from __future__ import annotations

import logging

from ganvas.functional.instant import timestamp

log = logging.getLogger("ganvas")


class WriteErrors:
    """The failures to write of one process's run.

    An event begins with the first failure of something and ends when the same thing works again; a full disk
    is one event, however many rows could not be written.

    Attributes:
        events: ``{"what", "error", "since", "until"}``, oldest first; ``until`` is None while it lasts.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, str | None]] = []
        self._lasting: dict[str, dict[str, str | None]] = {}

    def failed(self, what: str, error: BaseException) -> None:
        """Begins an event, unless one of ``what`` lasts already."""
        if what in self._lasting:
            return
        event = {"what": what, "error": f"{error}", "since": timestamp(), "until": None}
        self._lasting[what] = event
        self.events.append(event)
        log.warning("%s could not be written (%s); the run goes on", what, error)

    def works(self, what: str) -> None:
        """Ends the event of ``what``, if one lasts."""
        if (event := self._lasting.pop(what, None)) is not None:
            event["until"] = timestamp()
            log.warning("%s can be written again", what)

"""Aim: a repository in the run's folder, read by its own page."""

from __future__ import annotations

from ganvas.logger.process.tracker import Tracker


class Aim(Tracker):
    """See :class:`Tracker`. A step that is logged again takes the place of the first one.

    So after a resume or a rollback Aim holds what metrics.jsonl holds.
    """

    tracker = "aim"
    package = "aim"

"""Comet: archives in the run's folder, or its service where the environment has COMET_API_KEY."""

from __future__ import annotations

from ganvas.logger.process.tracker import Tracker


class Comet(Tracker):
    """See :class:`Tracker`. Without a key it writes an archive that ``comet upload`` takes later.

    Resumed, it writes a second archive for the same experiment; both are uploaded, the older first.
    """

    tracker = "comet"
    package = "comet_ml"
    keys = ("COMET_API_KEY",)

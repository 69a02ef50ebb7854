"""Trackio: a database in the run's folder, or the Space or server that the environment names."""

from __future__ import annotations

from ganvas.logger.process.tracker import Tracker


class Trackio(Tracker):
    """See :class:`Tracker`. The run's name is that of its folder with the first letters of its id."""

    tracker = "trackio"
    package = "trackio"
    keys = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")

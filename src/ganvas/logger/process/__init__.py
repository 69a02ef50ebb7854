"""Trackers, each in a process of its own beside the run's: a tracker that hangs or dies takes no run with it.

``tracker.py`` and ``channel.py`` are of the run's process. ``serve.py`` and the files that are named after a
tracker are of the other one: they import the standard library and the tracker alone, so that it may be
another Python, in which a tracker lives whose dependencies do not fit ours.
"""

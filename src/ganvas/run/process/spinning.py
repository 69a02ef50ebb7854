"""Bounds how long an idle OpenMP thread spins before it sleeps, so that two runs share a machine's cores."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# GNU OpenMP's default of 300,000 rounds is some milliseconds for every small operation: while one thread has
# no core, its partners burn theirs, and two runs side by side take many times as long as one after the other.
SPIN_COUNT = 1000
_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def bound_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets GOMP_SPINCOUNT unless the environment has chosen how to wait; child processes inherit it.

    GNU OpenMP, which torch's Linux builds bring, reads it once, when torch is imported; later it is idle.
    Other OpenMP libraries pass it over.
    """
    if not any(environment.get(name) for name in _CHOICES):
        environment["GOMP_SPINCOUNT"] = str(SPIN_COUNT)

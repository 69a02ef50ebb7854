"""Where what can be made again is kept: features of data sets, classifiers, downloaded weights."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """``$GANVAS_CACHE``, else ganvas in ``$XDG_CACHE_HOME``, else ~/.cache/ganvas; not made here."""
    own = os.environ.get("GANVAS_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganvas"

"""Where what can be made again is kept: features of data sets, classifiers, downloaded weights."""

from __future__ import annotations

import os
from pathlib import Path

from ganvas.files.folders import expanded
from ganvas.files.write import make_way, write_bytes


def cache_dir() -> Path:
    """``$GANVAS_CACHE``, else ganvas in ``$XDG_CACHE_HOME``, else ~/.cache/ganvas; not made here.

    Raises:
        OptionError: the variable of the environment that names the home folder of nobody.
    """
    for name, below in (("GANVAS_CACHE", ""), ("XDG_CACHE_HOME", "ganvas")):
        own = os.environ.get(name)
        if own:
            return expanded(own, name) / below
    return expanded("~/.cache/ganvas", "GANVAS_CACHE")


def put(path: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all; several processes may do this at once.

    What stands under its name and is no file goes.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    make_way(path)
    write_bytes(path, content)

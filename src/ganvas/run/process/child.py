"""How a process of ours starts another: with its own import path, and nothing more from the current folder.

``python -m`` looks for modules in the current folder first, so that a user's json.py or types.py there would
be executed in place of Python's. A child is started without that folder, and takes its parent's import path.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

IMPORT_PATH = "GANVAS_IMPORT_PATH"  # JSON: what import_path gives
DEBUG = "GANVAS_DEBUG"  # 1: tracebacks are shown, as --debug asks of the parent
_SAFE = "PYTHONSAFEPATH"  # Python's own: what -P says
_OURS = "ganvas"  # its value where it was not the user's


def python_module(module: str, *words: str) -> list[str]:
    """``python -m MODULE WORDS`` by this interpreter and its flags, without the current folder."""
    flags = ["-P"]
    flags += ["-E"] if sys.flags.ignore_environment else []
    flags += ["-s"] if sys.flags.no_user_site else []
    return [sys.executable, *flags, "-m", module, *words]


def import_path() -> dict[str, Any]:
    """This process's import path, for :func:`take_import_path` in a child; relative folders made absolute."""
    folders = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    return {"prefixes": [sys.prefix, sys.base_prefix], "path": list(dict.fromkeys(folders))}


def take_import_path(given: Any) -> None:
    """Imports are looked for where the parent looks for them, in the same order.

    A parent of another installation of Python, on a cluster say, adds its user's folders behind all others.
    """
    if not isinstance(given, dict):
        return
    path, prefixes = given.get("path") or [], given.get("prefixes") or []
    if not all(
        isinstance(one, list) and all(isinstance(name, str) for name in one) for one in (path, prefixes)
    ):
        return
    if prefixes == [sys.prefix, sys.base_prefix]:
        sys.path[:] = path
        return
    foreign = tuple(os.path.join(prefix, "") for prefix in prefixes or ())
    sys.path += [entry for entry in path if not entry.startswith(foreign) and entry not in sys.path]


def take_import_path_of_environment() -> None:
    """The same from the environment, where it is this process's affair and not that of what it starts."""
    text = os.environ.pop(IMPORT_PATH, None)
    if text is not None:
        try:
            take_import_path(json.loads(text))
        except ValueError:
            return


def for_launchers(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for launchers that start Python by themselves: they leave the current folder out."""
    return {_SAFE: _OURS, **environment}


def without_launchers(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as it was before :func:`for_launchers`."""
    return {key: value for key, value in environment.items() if (key, value) != (_SAFE, _OURS)}


@contextmanager
def debugging(asked: bool) -> Iterator[bool]:
    """Whether tracebacks are shown: asked for here, or by this process's parent. Children are told."""
    before = os.environ.get(DEBUG)
    if asked:
        os.environ[DEBUG] = "1"
    try:
        yield asked or before == "1"
    finally:
        if asked and before is None:
            del os.environ[DEBUG]

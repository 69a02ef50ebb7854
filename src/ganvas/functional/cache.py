"""Where what can be made again is kept: features of data sets, classifiers, downloaded weights."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ganvas.files.folders import expanded
from ganvas.files.plain import parse_json
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


def in_order(content: bytes) -> bytes:
    """A safetensors file whose metadata stand in the order of their names: the library has them in any order.

    So the same tensors and metadata are the same bytes.
    """
    size = int.from_bytes(content[:8], "little")
    header = parse_json(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # data begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[8 + size :]

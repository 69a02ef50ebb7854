"""Another thing in the place of a file: a pipe, a device, a folder, a link, nothing, what nobody may read."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

KINDS = ("pipe", "zero", "null", "folder", "dangling", "circle", "out", "inside", "absent", "empty", "huge")


def replaced(path: Path, draws: random.Random) -> str:
    """Puts one of them in the file's place; which."""
    kind = draws.choice(KINDS)
    kept = path.read_bytes() if path.is_file() else b""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("zero", "null"):
        path.symlink_to(f"/dev/{kind}")
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(path.with_name("nowhere"))
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind in ("out", "inside"):
        # Out of the run's folder, or beside the file.
        target = (Path.cwd() if kind == "out" else path.parent).resolve() / f"other-{path.name}"
        target.write_bytes(kept)
        path.symlink_to(target)
    elif kind == "empty":
        path.touch()
    elif kind == "huge":
        path.write_bytes(kept)
        os.truncate(path, 300 << 20)  # a hole: it takes no room
    return kind

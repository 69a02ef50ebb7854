"""Without a key nothing leaves the machine, and nothing but the run's folder is written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]


def counted(counts: Path) -> list[list[Any]]:
    """The kernel's counts before and after each command that had no network."""
    if not counts.exists():
        pytest.skip("a process may have no network of its own here")
    return [json.loads(line) for line in counts.read_text().splitlines()]


def test_no_host_is_asked(followed: Any, without_network: Callable[..., Any], tmp_path: Path) -> None:
    lines = counted(followed.path.parents[1] / "counts")
    assert len(lines) == 3
    assert [before for before, _, _ in lines] == [after for _, after, _ in lines]
    asks = "import socket; socket.socket().connect_ex(('192.0.2.1', 80))"
    without_network([sys.executable, "-c", asks], tmp_path / "counts", **os.environ)
    ((before, after, _),) = counted(tmp_path / "counts")
    assert before != after, "who asks is seen"


def test_nothing_lies_elsewhere(followed: Any) -> None:
    shared = followed.path.parents[1]
    found = [path.relative_to(shared) for name in ("home", "tmp") for path in (shared / name).iterdir()]
    # torch's own, and what a tracker leaves whose process was killed
    left = [path for path in found if not path.name.startswith(("torchinductor", "ganvas-"))]
    assert left == []
    assert len([path for path in found if path.name.startswith("ganvas-")]) <= len(followed.pythons)


def test_its_folder_can_be_moved(followed: Any) -> None:
    """A run is refused in which a link leads out of it, or which holds a socket."""
    for name in followed.pythons:
        assert (followed.path / name / "run.json").exists()
        for path in (followed.path / name).rglob("*"):
            assert not path.is_symlink(), path
            assert path.is_file() or path.is_dir(), path


def test_no_tracker_had_trouble(followed: Any) -> None:
    assert "write_errors" not in json.loads((followed.path / "status.json").read_text())

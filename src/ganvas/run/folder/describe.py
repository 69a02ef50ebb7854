"""A run in a line, as lists of runs show it: read from status.json alone where that tells enough."""

from __future__ import annotations

from typing import Any

from ganvas.run.folder.lock import is_held
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.short_protocol import noted_protocols


def describe(folder: RunFolder) -> dict[str, Any]:
    """One run in a line; a broken folder says so in ``state``."""
    status = folder.read_status()
    choices = folder.choices(status)
    absent = not (folder.path / "status.json").exists()  # killed before it could say anything
    state = status.get("state", "killed" if absent else "broken") if choices else "broken"
    if state == "running" and not is_held(folder.path):
        state = "killed"  # it says that it runs, and no process does
    return {
        "run": folder.path.name,
        "folder": str(folder.path),
        "state": state,
        "examples_seen": status.get("examples_seen", 0),
        "model": choices.get("model"),
        "data": choices.get("data"),
        "metrics": status.get("metrics") or {},
        "main_metric": main if isinstance(main := status.get("main_metric"), str) else None,
        "protocols": noted_protocols(status),
    }

"""How a run ended, for the command that started it; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass, field

from ganvas.run.folder.run_folder import RunFolder


@dataclass
class Outcome:
    """How a run ended: the exit code for the shell, and where to look.

    ``notes`` are for the terminal, one line each; ``is_quiet``: another process tells the user all this.
    """

    folder: RunFolder
    state: str
    exit_code: int
    metrics: dict[str, float]
    notes: list[str] = field(default_factory=list)
    is_quiet: bool = False

"""Tab completion: Hydra's, behind the word that names the command."""

from __future__ import annotations

from collections.abc import Sequence


def line_for_hydra(line: str) -> str | None:
    """``ganvas train model=`` as Hydra expects it, ``ganvas model=``; None where it has nothing to add."""
    program, *argv = line.split()
    if not argv or argv[0] != "train" or line.endswith("train"):
        return None
    rest = " ".join(argv[1:])
    return f"{program} {rest}{' ' if rest and line[-1].isspace() else ''}"


def matching_commands(line: str, commands: Sequence[str]) -> list[str]:
    """The commands that the first word may become."""
    _, *argv = line.split()
    if len(argv) > 1 or (argv and line[-1].isspace()):
        return []
    return [command for command in commands if command.startswith(argv[0] if argv else "")]

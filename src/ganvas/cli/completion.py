"""Tab completion: Hydra's, behind the word that names the command."""

from __future__ import annotations

from collections.abc import Sequence


def line_for_hydra(line: str) -> str | None:
    """``ganvas train model=`` as Hydra expects it, ``ganvas model=``; None where it has nothing to add."""
    program, *words = line.split()
    if not words or words[0] != "train" or line.endswith("train"):
        return None
    rest = " ".join(words[1:])
    return f"{program} {rest}{' ' if rest and line[-1].isspace() else ''}"


def matching_commands(line: str, commands: Sequence[str]) -> list[str]:
    """The commands that the first word may become."""
    _, *words = line.split()
    if len(words) > 1 or (words and line[-1].isspace()):
        return []
    return [command for command in commands if command.startswith(words[0] if words else "")]

"""Files that cannot be read, all named at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from ganvas.data.files.tree import FileKind
from ganvas.errors import OptionError, require

ON_DAMAGED = ("stop", "skip")
_NAMED = 10  # in a message
HOW = "data.on_damaged=skip leaves out what cannot be read"


class Damage(NamedTuple):
    """A file that cannot be read: its number among all, its name, and what is wrong."""

    row: int
    name: str
    reason: str


def require_policy(on_damaged: str) -> None:
    """Raises OptionError unless it is ``stop`` or ``skip``."""
    require(on_damaged in ON_DAMAGED, "on_damaged", on_damaged, "must be stop or skip")


def refuse(damage: Sequence[Damage], option: str, root: Path, *, count: int, kind: FileKind) -> NoReturn:
    """Raises OptionError with the first names and their number.

    Args:
        option: what named the files.
        root: their folder.
        count: of all files.
        kind: of them.
    """
    if len(damage) == 1 < count:
        reason = f"cannot be read as {kind.one} ({damage[0].reason}); mend or remove it, or {HOW}"
        raise OptionError(option, str(root / damage[0].name), reason)
    reason = f"{len(damage):,} of {count:,} {kind.plural} cannot be read: {describe(damage)}"
    raise OptionError(option, str(root), f"{reason}; mend or remove them, or {HOW}")


def describe(damage: Sequence[Damage]) -> str:
    """``a.png (truncated), b.png (...) and 3 more``."""
    named = ", ".join(f"{one.name} ({one.reason})" for one in damage[:_NAMED])
    return named + (f" and {len(damage) - _NAMED:,} more" if len(damage) > _NAMED else "")

"""What is fuzzed: a kind of file, how one is laid out and damaged, and the commands that read it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from world import World


@dataclass(frozen=True)
class Reader:
    """One way to read the files of a subject.

    Attributes:
        words: of a command line, in the folder of the try.
        writes: patterns of names in that folder that the command may make, change and remove.
        call: what is called instead of a command; an OptionError is exit code 2, a number that
            comes back is the exit code.
        finite: an .npz that must hold finite numbers where the command ends with 0.
        programs: the programs that it may start.
        prints: what it must print where it ends with 0; None: anything.
    """

    words: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    call: Callable[[], object] | None = None
    finite: str | None = None
    programs: tuple[str, ...] = ()
    prints: str | None = None


@dataclass(frozen=True)
class Subject:
    """A class of tries.

    Attributes:
        name: in the table.
        lay: (world, folder, draws): puts the files into the empty folder, damaged; gives back who reads them.
        title: one line for the table's notes.
    """

    name: str
    title: str
    lay: Callable[[World, Path, random.Random], Reader]


def command(*words: str, writes: Sequence[str] = (), **more: Any) -> Reader:
    """A command line; ``more`` are fields of :class:`Reader`."""
    return Reader(tuple(words), tuple(writes), **more)


def draws_of(name: str, seed: int, number: int) -> random.Random:
    """All that a try draws: a function of (class, seed, number)."""
    return random.Random(f"{name} {seed} {number}")

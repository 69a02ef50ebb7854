"""Checkpoints, configs and archives made to run code: refused, and the canary's file never appears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from forge import Try
from hostile import CASES, Case, complaint, warm
from recipes import Plan

TITLE = "hostile checkpoints, configs, archives"
MINIMUM = 40
NEEDS: list[tuple[str, int]] = []


def prepare() -> None:
    """Runs that the cases share, made in a process that is waited for: they stay on disk."""
    warm()


def tries(plan: Plan) -> Iterator[Try]:
    for case in CASES:
        yield Try(case.name, lambda folder, c=case: _attack(folder, c))


def _attack(folder: Path, case: Case) -> str | None:
    return complaint(case, folder / "place")

"""What a user asks a prior for, and what stands after a step of drawing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ganvas.play.work.shown_samples import Seen


@dataclass(frozen=True)
class Asked:
    """What a user asks a prior for; None is as the run has it.

    Attributes:
        num: samples, or completions.
        seed: of what is drawn.
        label: a class, ``each`` for all of them in turn, None for any.
        raw: the trained weights instead of their average.
    """

    num: int = 16
    seed: int = 1
    label: int | str | None = None
    raw: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    guidance: float | None = None
    steps: int | None = None

    @property
    def drawing(self) -> dict[str, float | int]:
        """What is asked of the drawing."""
        own = {name: getattr(self, name) for name in ("temperature", "top_k", "top_p", "guidance", "steps")}
        return {name: value for name, value in own.items() if value is not None}


class Progress(NamedTuple):
    """What stands after a step.

    Attributes:
        x: [num, ...] on the CPU; images under grey, sounds in silence where codes are hidden.
        seen: the same to be played or read, each by itself; none of what is seen in a grid.
        step: from 1.
        steps: how many there are.
        hidden: codes of a sample that are hidden still.
    """

    x: Tensor
    seen: list[Seen]
    step: int
    steps: int
    hidden: int

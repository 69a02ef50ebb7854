"""What the kinds of ``ganvas pictures`` share: the prior, what is asked of it, and batches."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganvas.cli.trained.files.options import check_scalable
from ganvas.errors import require
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.code_places import share_known
from ganvas.functional.memory import require_memory
from ganvas.functional.next_code import Drawing
from ganvas.modality.interface import Modality


@dataclass(frozen=True)
class Task:
    """A prior, and what is asked of it.

    Attributes:
        model: the recipe.
        data: its data module.
        arguments: of the command line.
        drawing: what they say of how it draws; None where they say nothing.
        num: samples in a row, or samples.
    """

    model: Any
    data: Any
    arguments: argparse.Namespace
    drawing: Drawing | None
    num: int

    @property
    def kind(self) -> Modality:
        """What the samples are."""
        found: Modality = self.data.modality
        return found

    @property
    def layout(self) -> CodeLayout:
        """Of the codes of a sample."""
        found: CodeLayout = self.model.tokenizer.layout
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample."""
        return tuple(self.model.tokenizer.sample_shape)

    @property
    def loses(self) -> bool:
        """Whether a sample is another one than what its codes decode to."""
        return not getattr(self.model.tokenizer, "is_lossless", False)

    def how(self, drawing: Drawing | None = None) -> dict[str, Any]:
        """The keywords of the model's methods."""
        return {"ema": not self.arguments.raw, "drawing": drawing or self.drawing}

    def parts(self, num: int) -> Iterator[tuple[int, int]]:
        """Start and count of each batch."""
        size = self.arguments.batch_size
        return ((start, min(size, num - start)) for start in range(0, num, size))

    def decoded(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, N] to samples [B, ...] on the CPU."""
        tokenizer, device = self.model.tokenizer, self.model.device
        made = [tokenizer.decode(part.to(device)).cpu() for part in codes.split(self.arguments.batch_size)]
        return torch.cat(made)

    def share(self, known: Tensor) -> Tensor:
        """Which share of each place is known, [B, 1, *sides], where of codes those are, bool [B, N]."""
        return share_known(self.layout, known, *self.shape[-self.kind.sides :])

    def require_room(self, count: int) -> None:
        """Raises OptionError where so many samples are too many for the memory, or for a sheet."""
        what = f"{count:,} {self.kind.plural} of {list(self.shape)}"
        require_memory("--num", self.num, 16 * count * math.prod(self.shape), what)
        check_scalable(self.arguments.scale, self.kind, self.shape, count)


def require_shown(kind: Modality, shape: tuple[int, ...], place: object) -> None:
    """Raises OptionError (``RUN``) where samples cannot be shown one by one."""
    rule = f"its samples have shape {list(shape)}, and pictures are of what is seen, heard or read one by one"
    fits = kind.has_pictures and not kind.together
    require(fits, "RUN", place, f"{rule}; ganvas sample takes any run")


def part_of(label: Tensor | None, start: int, count: int) -> Tensor | None:
    """Of classes, where there are some, those of a batch."""
    return None if label is None else label[start : start + count]


def named(name: str, tensor: Tensor | None) -> dict[str, Tensor]:
    """By its name, where there is one."""
    return {} if tensor is None else {name: tensor}

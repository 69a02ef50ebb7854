"""A prior as a user tries it: samples by its options, completions of a masked image, each step on the way."""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.code_places import half, share_known
from ganvas.functional.next_code import Drawing
from ganvas.modality.image import veil
from ganvas.model.code_model import CodeModel
from ganvas.play.work.codes import Cell, sides
from ganvas.play.work.mask import coarsest, first_codes, half_of_cells, known_of, until
from ganvas.run.folder.usable import NEEDS

HALVES = ("upper", "lower", "left", "right")
MOST = 256  # samples at once


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
        x: float [num, C, H, W] in [-1, 1] on the CPU, under grey where codes are hidden.
        step: from 1.
        steps: how many there are.
        hidden: codes of an image that are hidden still.
    """

    x: Tensor
    step: int
    steps: int
    hidden: int


class PriorDesk:
    """Draws samples and completions, and says the command that makes the same.

    Args:
        model: the run's recipe, in eval mode.
        data: its data module.
        place: the run's folder, as a command names it.

    Attributes:
        layout: of its codes.
        classes: names or numbers of its classes; empty without.
        takes_any_mask: whether any codes may be given; else the first ones alone.
        can_guide: whether guidance does something.
        cells: rows and columns of the grid that a mask is drawn on.

    Raises:
        OptionError: ``RUN``: it is no prior, or one of codes of other than images.
    """

    def __init__(self, model: Any, data: Any, place: object) -> None:
        if not isinstance(model, CodeModel):
            raise OptionError("RUN", place, NEEDS["pictures"].reason)
        shape = model.tokenizer.sample_shape
        rule = f"its samples have shape {list(shape)}; the page shows images"
        require(len(shape) == 3, "RUN", place, rule)
        self.model, self.data, self.place = model, data, place
        self.layout, self.shape = model.tokenizer.layout, shape
        self.takes_any_mask = not model.causal
        self.can_guide = model.num_classes is not None and model.label_dropout > 0
        self.has_average = model.ema is not None
        first = sides(self.layout.positions[0])
        self.cells = coarsest(self.layout) if self.takes_any_mask else first

    @property
    def classes(self) -> list[str]:
        count = self.model.num_classes
        if count is None:
            return []
        names = list(self.data.class_names or ())
        return names if len(names) == count else [str(number) for number in range(count)]

    @property
    def own(self) -> Drawing:
        """How the run draws where nothing is asked."""
        return self.model.drawing

    @property
    def usual_steps(self) -> int | None:
        """Forward passes for a sample, where they can be chosen."""
        found: int | None = getattr(self.model, "steps", None)
        return found

    def drawing(self, asked: Asked) -> Drawing:
        """Raises OptionError (the option's name) for what the run cannot do."""
        require(1 <= asked.num <= MOST, "num", asked.num, f"must be from 1 to {MOST} images")
        fits = type(asked.seed) is int and 0 <= asked.seed < 2**63
        require(fits, "seed", asked.seed, "must be a whole number from 0")
        found = dataclasses.replace(self.own, **asked.drawing)  # type: ignore[arg-type]
        self.model.check_drawing(found)
        return found

    def labels(self, asked: Asked) -> Tensor | None:
        """The classes int64 [num] that are asked for, as the commands share them out; None for any."""
        label, count = asked.label, self.model.num_classes
        if label is None:
            return None
        require(count is not None, "label", label, "the run has no classes; leave it out")
        assert count is not None
        if label == "each":
            return torch.arange(asked.num) * min(count, asked.num) // asked.num
        fits = isinstance(label, int) and 0 <= label < count
        require(fits, "label", label, f"must be from 0 to {count - 1}")
        return torch.full((asked.num,), int(label))

    def sample(self, asked: Asked, *, every: float = 0.1) -> Iterator[Progress]:
        """Samples while they are drawn; the last one is what ``ganvas sample`` makes.

        Args:
            every: seconds between two that are shown.

        Raises:
            OptionError: what is asked for cannot be done.
        """
        known = torch.zeros(self.layout.length, dtype=torch.bool)
        codes = torch.zeros(asked.num, self.layout.length, dtype=torch.int64)
        yield from self._steps(codes, known, asked, self.labels(asked), 0, every)

    def complete(
        self,
        codes: Tensor,
        known: Tensor,
        asked: Asked,
        *,
        of: int | None = None,
        start: int = 0,
        every: float = 0.1,
    ) -> Iterator[Progress]:
        """Completions of one image's codes int64 [N] while they are drawn.

        Args:
            known: bool [N], the codes that are given.
            of: the image's class, which is taken where none is asked for.
            start: number of the first completion; those of image i in ``ganvas pictures`` begin at i times
                their number.
            every: seconds between two that are shown.

        Raises:
            OptionError: what is asked for, or this mask, cannot be done.
        """
        repeated = codes[None].repeat(asked.num, 1)
        label = self.labels(asked)
        if label is None and of is not None and self.model.num_classes is not None:
            label = torch.full((asked.num,), of)
        yield from self._steps(repeated, known, asked, label, start, every)

    def _steps(
        self, codes: Tensor, known: Tensor, asked: Asked, label: Tensor | None, start: int, every: float
    ) -> Iterator[Progress]:
        drawing, model = self.drawing(asked), self.model
        count = self.steps_of(known, drawing)
        made = model.complete_in_steps(
            codes.to(model.device),
            known,
            asked.seed,
            ema=not asked.raw,
            start=start,
            label=label,
            drawing=drawing,
        )
        shown = time.monotonic()
        for number, step in enumerate(made, 1):
            if number < count and time.monotonic() - shown < every:
                continue
            yield Progress(self.picture(step.codes, step.guess), number, count, self._hidden(step.codes))
            shown = time.monotonic()

    def steps_of(self, known: Tensor, drawing: Drawing) -> int:
        """How many steps a drawing takes."""
        if not self.takes_any_mask:
            return self.layout.length
        return min(drawing.steps or self.usual_steps or 1, max(int((~known).sum()), 1))

    def _hidden(self, codes: Tensor) -> int:
        return int((codes[0] == self.layout.vocabulary).sum())

    def picture(self, codes: Tensor, guess: Tensor | None = None) -> Tensor:
        """Codes int64 [B, N] as images [B, C, H, W]; those that are hidden, ``vocabulary``, under grey."""
        hidden = codes == self.layout.vocabulary
        whole = codes.masked_fill(hidden, 0) if guess is None else guess
        x = self.model.tokenizer.decode(whole.clone()).float().cpu()
        return veil(x, share_known(self.layout, ~hidden.cpu(), *self.shape[1:]))

    def columns(self, asked: Asked) -> int:
        """Images in a row: of each class in turn a row a class, else about a square."""
        if asked.label == "each":
            return -(-asked.num // min(len(self.classes), asked.num))
        return max(1, round(math.sqrt(asked.num)))

    def command(self, asked: Asked, out: str = "samples.png") -> str:
        """The command line that makes the same samples."""
        words = ["ganvas", "sample", str(self.place), "--num", str(asked.num), "--seed", str(asked.seed)]
        if asked.label == "each":
            classes = min(len(self.classes), asked.num)
            words += ["--label", ",".join(map(str, range(classes)))]
        elif asked.label is not None:
            words += ["--label", str(asked.label), "--columns", str(self.columns(asked))]
        return shlex.join([*words, *self._drawing_words(asked), "--out", out])

    def completion_command(
        self, asked: Asked, *, split: str, number: int, given: str, out: str = "completions.png"
    ) -> str | None:
        """The command line whose last row holds the same completions of image ``number`` of a split.

        None where a class is asked for: the command takes that of the image.
        """
        if asked.label is not None:
            return None
        words = ["ganvas", "pictures", str(self.place), "--kind", "complete", "--split", split]
        words += ["--num", str(number + 1), "--completions", str(asked.num), "--given", given]
        words += ["--seed", str(asked.seed)]
        return shlex.join([*words, *self._drawing_words(asked), "--out", out])

    def _drawing_words(self, asked: Asked) -> list[str]:
        words = ["--raw"] if asked.raw else []
        for name, value in asked.drawing.items():
            words += [f"--{name.replace('_', '-')}", f"{value!r}"]
        return words

    def touched(self, cells: Tensor, cell: Cell) -> Tensor:
        """A mask bool [rows, columns] after a cell was touched: that cell turned, where any mask is taken.

        Else all cells until that one, in the order in which codes are drawn; touched again, those before it.
        """
        if not self.takes_any_mask:
            return until(cells, cell)
        turned = cells.clone()
        turned[cell] = ~turned[cell]
        return turned

    def known(self, cells: Tensor, which: str | None = None) -> Tensor:
        """bool [N]: the codes that a mask gives.

        Args:
            cells: bool [rows, columns], of the cells of the coarsest map; of a prior that takes first codes
                alone those of the first map.
            which: the half of the image that it is, if it is one.
        """
        if which is not None:
            return half(self.layout, which)
        if self.takes_any_mask:
            return known_of(self.layout, cells)
        return first_codes(self.layout, int(cells.sum()) * len(self.layout.sizes[0]))

    def half_of_cells(self, which: str) -> Tensor:
        """bool [rows, columns]: the cells of a half."""
        return half_of_cells(*self.cells, which)

    def halves(self) -> list[str]:
        """The halves of an image that may be given."""
        found = []
        for which in HALVES:
            try:
                known = half(self.layout, which)
                self.model.check_known(known)
            except (OptionError, ValueError):
                continue
            if known.any():
                found.append(which)
        return found

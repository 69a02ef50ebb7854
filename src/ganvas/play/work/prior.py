"""A prior as a user tries it: samples by its options, completions of a masked one, each step on the way."""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.code_places import ENDS, HALVES, beginning, half, share_known
from ganvas.functional.next_code import Drawing
from ganvas.modality.partial import veiled
from ganvas.model.code_model import CodeModel
from ganvas.play.work.asked import Asked, Progress
from ganvas.play.work.codes import Cell, sides
from ganvas.play.work.mask import coarsest, first_codes, half_of_cells, known_of, until
from ganvas.play.work.shown_samples import Seen, is_played_or_read, own_ending, see_part
from ganvas.play.work.source import Original, Source
from ganvas.run.folder.usable import NEEDS

MOST = 256  # samples at once
MOST_PLAYED = 64  # of those that a page holds one by one, with their sounds


class PriorDesk:
    """Draws samples and completions, and says the command that makes the same.

    Args:
        model: the run's recipe, in eval mode.
        data: its data module.
        place: the run's folder, as a command names it.

    Attributes:
        source: of samples to be completed.
        layout: of its codes.
        classes: names or numbers of its classes; empty without.
        takes_any_mask: whether any codes may be given; else the first ones alone.
        can_guide: whether guidance does something.
        cells: rows and columns of the grid that a mask is drawn on.
        runs_on: whether codes have their places along the length of a sample.

    Raises:
        OptionError: ``RUN``: it is no prior, or one of codes of samples that a page cannot show.
    """

    def __init__(self, model: Any, data: Any, place: object) -> None:
        if not isinstance(model, CodeModel):
            raise OptionError("RUN", place, NEEDS["pictures"].reason)
        self.model, self.data, self.place = model, data, place
        self.layout, self.shape = model.tokenizer.layout, model.tokenizer.sample_shape
        self.source = Source(model.tokenizer.data, self.shape, place)
        self.kind = self.source.kind
        self.is_played_or_read = is_played_or_read(self.kind, self.shape)
        self.most = MOST_PLAYED if self.is_played_or_read else MOST
        self.runs_on = self.kind.sides == 1 and all(len(at) == 1 for at in self.layout.positions)
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
        rule = f"must be from 1 to {self.most} {self.kind.plural}"
        require(1 <= asked.num <= self.most, "num", asked.num, rule)
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
            x, share = self._decoded(step.codes, step.guess)
            hidden = self._hidden(step.codes)
            seen = see_part(self.kind, x, share, heard=not hidden) if self.is_played_or_read else []
            yield Progress(veiled(self.kind, x, share), seen, number, count, hidden)
            shown = time.monotonic()

    def steps_of(self, known: Tensor, drawing: Drawing) -> int:
        """How many steps a drawing takes."""
        if not self.takes_any_mask:
            return self.layout.length
        return min(drawing.steps or self.usual_steps or 1, max(int((~known).sum()), 1))

    def _hidden(self, codes: Tensor) -> int:
        return int((codes[0] == self.layout.vocabulary).sum())

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """A sample [...] to its codes int64 [N], on the CPU.

        Raises:
            OptionError: ``RUN``: its encoder makes numbers that are not finite.
        """
        try:
            codes: Tensor = self.model.tokenizer.to(self.model.device).encode(x[None])[0].cpu()
        except OptionError:
            raise
        except ValueError as error:
            reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
            raise OptionError("RUN", self.place, reason) from error
        return codes

    def see(self, codes: Tensor) -> list[Seen]:
        """Codes int64 [B, N], hidden ones ``vocabulary``, each sample as it is shown."""
        return see_part(self.kind, *self._decoded(codes))

    def picture(self, codes: Tensor, guess: Tensor | None = None) -> Tensor:
        """Codes int64 [B, N] as samples [B, ...]; those that are hidden, ``vocabulary``, under grey."""
        return veiled(self.kind, *self._decoded(codes, guess))

    def _decoded(self, codes: Tensor, guess: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Samples [B, ...] on the CPU, and how much of each place is known [B, 1, *sides]."""
        hidden = codes == self.layout.vocabulary
        whole = codes.masked_fill(hidden, 0) if guess is None else guess
        x = self.model.tokenizer.decode(whole.clone()).cpu()
        share = share_known(self.layout, ~hidden.cpu(), *self.shape[-self.kind.sides :])
        return (x if self.kind.is_discrete else x.float()), share

    def columns(self, asked: Asked) -> int:
        """Images in a row: of each class in turn a row a class, else about a square."""
        if asked.label == "each":
            return -(-asked.num // min(len(self.classes), asked.num))
        return max(1, round(math.sqrt(asked.num)))

    def command(self, asked: Asked, out: str | None = None) -> str:
        """The command line that makes the same samples."""
        out = out or f"samples{own_ending(self.kind)}"
        words = ["ganvas", "sample", str(self.place), "--num", str(asked.num), "--seed", str(asked.seed)]
        words += self._label_words(asked)
        if isinstance(asked.label, int) and not self.is_played_or_read:
            words += ["--columns", str(self.columns(asked))]
        return shlex.join([*words, *self._drawing_words(asked), "--out", out])

    def completion_command(self, asked: Asked, *, split: str, number: int, given: str) -> str | None:
        """The command line whose last row holds the same completions of sample ``number`` of a split.

        None where a class is asked for: the command takes that of the sample.
        """
        if asked.label is not None:
            return None
        words = ["--split", split, "--num", str(number + 1), "--given", given]
        return self._completion_line(words, asked)

    def beginning_command(self, asked: Asked, typed: str) -> str:
        """The command line that makes the same completions of what was typed."""
        return self._completion_line([f"--beginning={typed}", *self._label_words(asked)], asked)

    def _completion_line(self, words: list[str], asked: Asked) -> str:
        begin = ["ganvas", "pictures", str(self.place), "--kind", "complete"]
        words = [*begin, *words, "--completions", str(asked.num), "--seed", str(asked.seed)]
        words += self._drawing_words(asked)
        return shlex.join([*words, "--out", f"completions{own_ending(self.kind)}"])

    def _label_words(self, asked: Asked) -> list[str]:
        if asked.label is None:
            return []
        if asked.label != "each":
            return ["--label", str(asked.label)]
        return ["--label", ",".join(map(str, range(min(len(self.classes), asked.num))))]

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
            which: the half of the sample that it is, if it is one.
        """
        if which is not None:
            return half(self.layout, which)
        if self.takes_any_mask:
            return known_of(self.layout, cells)
        return first_codes(self.layout, int(cells.sum()) * len(self.layout.sizes[0]))

    def known_of(self, original: Original) -> Tensor:
        """The cells bool [rows, columns] whose codes are of what is the sample's own, for what was typed."""
        rows, columns = self.cells
        own = beginning(CodeLayout(((2,),), ((columns,),)), original.length, original.x.shape[-1])
        return own.expand(rows, columns).clone()

    def half_of_cells(self, which: str) -> Tensor:
        """bool [rows, columns]: the cells of a half."""
        return half_of_cells(*self.cells, which)

    def halves(self) -> list[str]:
        """The halves of a sample that may be given."""
        found = []
        for which in ENDS if self.runs_on else HALVES:
            try:
                known = half(self.layout, which)
                self.model.check_known(known)
            except (OptionError, ValueError):
                continue
            if known.any():
                found.append(which)
        return found

"""A GAN as a user tries it: a grid of samples, the way between two of them, their nearest training images."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.nearest_rows import nearest_rows
from ganvas.functional.slerp import slerp
from ganvas.modality.image import Image
from ganvas.modality.interface import Modality
from ganvas.model.interface import FromLatents
from ganvas.play.work.shown_samples import is_played_or_read, own_ending, require_shown
from ganvas.run.folder.usable import NEEDS

MOST = 256  # samples at once, as many as the commands make in one batch
MOST_PLAYED = 64  # of those that a page holds one by one, with their sounds
_STEPS = 9  # of a row from one sample to another


@dataclass(frozen=True)
class Asked:
    """What a user asks a GAN for.

    Attributes:
        num: samples.
        seed: of their latents.
        truncation: None: nothing is cut.
        label: a class; None: any.
        raw: the trained weights instead of their average.
    """

    num: int = 36
    seed: int = 1
    truncation: float | None = None
    label: int | None = None
    raw: bool = False


class GANDesk:
    """Samples as ``ganvas sample`` makes them, and what lies between and beside them.

    Args:
        model: the run's recipe, in eval mode.
        data: its data module.
        place: the run's folder, as a command names it.

    Raises:
        OptionError: ``RUN``: it makes no samples from latents, or samples that nobody can draw.
    """

    def __init__(self, model: Any, data: Any, place: object) -> None:
        if not isinstance(model, FromLatents):
            raise OptionError("RUN", place, NEEDS["interpolate"].reason)
        self.model: Any = model
        self.data, self.place = data, place
        self.shape: tuple[int, ...] = tuple(self._one().shape)
        self.kind: Modality = data.modality
        require_shown(self.kind, self.shape, place)
        self.is_played_or_read = is_played_or_read(self.kind, self.shape)
        self.most = MOST_PLAYED if self.is_played_or_read else MOST
        self.usual = 9 if self.is_played_or_read else 36  # samples of the first grid
        self.has_average = getattr(getattr(model, "ema", None), "average", None) is not None

    @property
    def classes(self) -> list[str]:
        """Names or numbers of the classes that may be asked for; empty without."""
        count = self.model.num_classes
        if count is None:
            return []
        names = list(getattr(self.data, "class_names", None) or ())
        return names if len(names) == count else [str(number) for number in range(count)]

    def check(self, asked: Asked) -> None:
        """Raises OptionError (the option's name) for what cannot be made."""
        require(
            1 <= asked.num <= self.most, "num", asked.num, f"must be from 1 to {self.most} {self.kind.plural}"
        )
        fits = type(asked.seed) is int and 0 <= asked.seed < 2**63
        require(fits, "seed", asked.seed, "must be a whole number from 0")
        t = asked.truncation
        fits = t is None or (t >= 0 and math.isfinite(t))
        require(fits, "truncation", t, "must be 0 or more; 0.7 is usual, and without it nothing is cut")
        count = self.model.num_classes
        fits = asked.label is None or (count is not None and 0 <= asked.label < count)
        require(fits, "label", asked.label, "is no class of this run; leave it out for any")

    @torch.no_grad()
    def samples(self, asked: Asked) -> Tensor:
        """The samples float32 [N, ...] in [-1, 1], those of the command, on the CPU."""
        self.check(asked)
        z = self._latents(asked)
        made: Tensor = self._generate(z, self.labels(asked), asked)
        return made

    def columns(self, asked: Asked) -> int | None:
        """Of the command's grid, which has a row a class; None where it chooses itself."""
        return None if asked.label is None else asked.num

    def command(self, asked: Asked, out: str | None = None) -> str:
        """The command line that makes the same samples."""
        out = out or f"samples{own_ending(self.kind)}"
        words = ["ganvas", "sample", str(self.place), "--num", str(asked.num), "--seed", str(asked.seed)]
        words += [] if asked.truncation is None else ["--truncation", f"{asked.truncation:g}"]
        words += [] if asked.label is None else ["--label", str(asked.label)]
        words += ["--raw"] if asked.raw else []
        return shlex.join([*words, "--out", out])

    @torch.no_grad()
    def between(self, asked: Asked, first: int, second: int, t: float) -> Tensor:
        """The image [C, H, W] a share t of the way from one sample to another, on the arc between latents.

        It is asked for the class of the nearer end.
        """
        return self._way(asked, first, second, torch.tensor([t]))[0]

    @torch.no_grad()
    def row(self, asked: Asked, first: int, second: int) -> Tensor:
        """Nine images [9, C, H, W] from one sample to another."""
        return self._way(asked, first, second, torch.linspace(0, 1, _STEPS))

    @torch.no_grad()
    def neighbours(self, asked: Asked, number: int, k: int = 5) -> tuple[Tensor, list[float]]:
        """The training images nearest to a sample in pixels, as ``ganvas neighbours`` finds them.

        Returns:
            float32 [k, C, H, W], nearest first, and how far away they are: root mean squares in [0, 1].

        Raises:
            OptionError: a key of the data: they are not there (any more).
        """
        one = self.samples(asked)[number]
        try:
            there = int(self.data.num_samples("train"))
        except OptionError as error:
            raise error.under("data") from error
        fits = there >= k and tuple(self.data.sample_shape) == self.shape
        require(fits, "neighbours", there, "are not offered: the run's training samples are of another shape")
        distances, numbers = nearest_rows(one.flatten()[None], self._training_rows(), k)
        rows: Tensor = self.data.split("train").x[numbers[0]]
        images = self.data.modality.to_model(rows)
        return images, [float(one) / math.prod(self.shape) ** 0.5 / 2 for one in distances[0]]

    def _training_rows(self) -> Iterator[Tensor]:
        return (batch.x.flatten(1) for batch in self.data.batches("train", MOST))

    @torch.no_grad()
    def _one(self) -> Tensor:
        found: Tensor = self.model.sample(1, 1)[0]
        return found

    def _latents(self, asked: Asked) -> Tensor:
        found: Tensor = self.model.latents(asked.num, asked.seed, truncation=asked.truncation)
        return found

    def labels(self, asked: Asked) -> Tensor | None:
        """Their classes int64 [N]; None without classes."""
        if asked.label is not None:
            return torch.full((asked.num,), asked.label, device=self.model.device)
        found: Tensor | None = self.model.sample_labels(asked.num, asked.seed)
        return found

    def _generate(self, z: Tensor, labels: Tensor | None, asked: Asked) -> Tensor:
        options = {"ema": not asked.raw, "truncation": asked.truncation}
        found: Tensor = self.model.generate(z, labels, **options).float().cpu()
        return found

    def _way(self, asked: Asked, first: int, second: int, t: Tensor) -> Tensor:
        self.check(asked)
        ends = self._latents(asked).cpu()
        z = slerp(ends[first], ends[second], t).to(self.model.device)
        labels = self.labels(asked)
        if labels is not None:
            labels = torch.where(t.to(labels.device) < 0.5, labels[first], labels[second])
        return self._generate(z, labels, asked)


def tiled(x: Tensor, columns: int) -> Tensor:
    """Images float [N, C, H, W] in [-1, 1] edge to edge, uint8 [1 or 3, rows H, columns W].

    What lies beyond the last one is black.
    """
    pixels = Image().pictures(x)  # [N, 1 or 3, H, W]
    rows = -(-len(pixels) // columns)
    whole = pixels.new_zeros(rows * columns, *pixels.shape[1:])
    whole[: len(pixels)] = pixels
    parts = whole.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4)  # [C, rows, H, columns, W]
    found: Tensor = parts.flatten(3).flatten(1, 2).contiguous()
    return found

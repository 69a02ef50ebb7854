"""A VQ-VAE, or the one below a prior, as a user tries it: one image in, its codes, what they decode to."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.callback.drawing.codes import Codes
from ganvas.errors import OptionError, require
from ganvas.functional.colours import code_colours
from ganvas.functional.modes import eval_mode
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.model.code_model import CodeModel
from ganvas.model.interface import has_codes
from ganvas.model.tokenizer import Tokenizer
from ganvas.play.work.codes import Level, Maps, cells_of, levels_of
from ganvas.play.work.pictures import read_upload
from ganvas.run.folder.usable import NEEDS

SPLITS = ("test", "val", "train")


class Picture(NamedTuple):
    """An image to be encoded.

    Attributes:
        x: float32 [C, H, W] in [-1, 1], on the CPU.
        label: its class, where it is known.
        told: where it is from.
    """

    x: Tensor
    label: int | None
    told: str


class Quality(NamedTuple):
    """How near an image is to its original; dB, and SSIM."""

    psnr: float
    ssim: float


class Bits(NamedTuple):
    """What an image's codes cost.

    Attributes:
        fixed: bits where every code is as likely as any other of its level.
        prior: bits under the run's prior; None without one, or where it needs a class that is not known.
        is_bound: whether that is an upper bound alone.
    """

    fixed: float
    prior: float | None
    is_bound: bool


class Autoencoder:
    """Encodes and decodes single images.

    Args:
        model: of a VQ-VAE, or a prior, whose tokenizer is taken; in eval mode.
        data: its data module.
        place: the run's folder, for what is refused.

    Attributes:
        levels: of its codes.
        num_cuts: how many first parts there are to decode alone: maps, or levels of one map.
        prior: None where the run is none.

    Raises:
        OptionError: ``RUN``: it has no codes, or those of other than images.
    """

    def __init__(self, model: Any, data: Any, place: object) -> None:
        self.prior: CodeModel | None = model if isinstance(model, CodeModel) else None
        if self.prior is None:
            require(has_codes(model), "RUN", place, NEEDS["codes"].reason)
            tokenizer = Tokenizer(model, data, sha256="", place=str(place))
        else:
            rule = "is of symbols, which are codes themselves; the page of codes shows those of a VQ-VAE"
            found = self.prior.tokenizer.to(self.prior.device)
            require(isinstance(found, Tokenizer), "RUN", place, rule)
            assert isinstance(found, Tokenizer)
            tokenizer = found
        shape = tokenizer.sample_shape
        rule = f"has codes of samples {list(shape)}; the page shows those of images"
        require(len(shape) == 3, "RUN", place, rule)
        self.data, self.layout, self.shape = tokenizer.data, tokenizer.layout, shape
        self.levels = levels_of(self.layout)
        self._tokenizer, self._place = tokenizer, place
        self._codes = Codes(tokenizer.recipe)
        self.num_cuts = self._codes.num_cuts

    @property
    def class_names(self) -> list[str]:
        return list(self.data.class_names or ())

    def count(self, split: str) -> int:
        """Samples of a split; it reads the data when it is first asked."""
        try:
            found: int = self.data.num_samples(split)
        except OptionError as error:
            raise error.under("data") from error
        return found

    def take(self, split: str, number: int) -> Picture:
        """Sample ``number``, from 0, of a split.

        Raises:
            OptionError: ``number``: there is none; ``data...``: they are not there.
        """
        there = self.count(split)
        rule = f"the {split} split holds {there:,} images; take one from 0 to {there - 1:,}"
        require(0 <= number < there, "number", number, rule)
        stored = self.data.split(split)
        x = stored.x[number : number + 1]
        label = None if stored.label is None else int(stored.label[number])
        return Picture(self.data.modality.to_model(x).clone()[0], label, f"{split} image {number}")

    def upload(self, name: str, content: bytes) -> Picture:
        """A user's own image file, of the run's channels and size.

        Raises:
            OptionError: ``upload``: it is too large, or no image.
        """
        channels, side = self.shape[0], self.shape[1]
        rule = f"has {channels} channels; a file is grey or in colour; take an image of the split"
        require(channels in (1, 3), "RUN", self._place, rule)
        return Picture(read_upload(name, content, channels=channels, image_size=side), None, "your image")

    @torch.no_grad()
    def encode(self, x: Tensor) -> Maps:
        """An image float [C, H, W] to its codes, of each map int64 [levels, *positions].

        Raises:
            OptionError: ``RUN``: its encoder makes numbers that are not finite.
        """
        recipe = self._tokenizer.recipe
        try:
            with eval_mode(recipe):
                return tuple(one[0] for one in self._codes.encode(x[None].to(recipe.device)))
        except OptionError:
            raise
        except ValueError as error:
            reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
            raise OptionError("RUN", self._place, reason) from error

    @torch.no_grad()
    def decode(self, maps: Maps, cut: int | None = None) -> Tensor:
        """Codes, or the first ``cut`` parts of them, to an image float [C, H, W] in [-1, 1], on the CPU."""
        whole = tuple(one[None] for one in maps)
        with eval_mode(self._tokenizer.recipe):
            return self._codes.decode(self._codes.cut(whole, cut) if cut else whole)[0].float().cpu()

    def everywhere(self, maps: Maps, level: Level, code: int) -> Tensor:
        """What an image decodes to whose level holds one code in every cell, [C, H, W]."""
        own = list(maps)
        own[level.map] = maps[level.map].clone()
        own[level.map][level.within] = code
        return self.decode(tuple(own))

    def bits(self, maps: Maps, label: int | None = None) -> Bits:
        """What the codes cost; under a prior by class, of that class."""
        fixed = self.layout.bits
        prior = self.prior
        if prior is None:
            return Bits(fixed, None, is_bound=False)
        by_class = prior.num_classes is not None
        is_bound = not prior.causal
        if by_class and label is None and not prior.label_dropout:
            return Bits(fixed, None, is_bound)  # it has never seen an image without a class
        codes = self.layout.flatten(tuple(one[None] for one in maps)).to(prior.device)
        own = None if label is None or not by_class else torch.tensor([label], device=prior.device)
        return Bits(fixed, float(prior.bits(codes, own)[0]), is_bound)

    def colours(self, maps: Maps, level: Level) -> Tensor:
        """A level's codes as colours, a pixel a cell: uint8 [3, rows, columns]."""
        return code_colours(cells_of(maps, level), level.size).permute(2, 0, 1)

    def colour(self, level: Level, code: int) -> str:
        """A code's colour in a map, as CSS has it."""
        red, green, blue = code_colours(torch.tensor(code), level.size).tolist()
        return f"#{red:02x}{green:02x}{blue:02x}"

    def quality(self, original: Tensor, other: Tensor) -> Quality:
        """By the protocol of ``ganvas evaluate``, of one image; PSNR is infinite where they are equal."""
        if min(self.shape[1:]) < 3:
            off = (original.clamp(-1, 1) - other.clamp(-1, 1)).double().square().mean().item() / 4
            return Quality(-10 * math.log10(off) if off else math.inf, math.nan)
        judge = ReconstructionQuality(self.data.modality, list(self.shape))
        judge.update(original=original[None], reconstruction=other[None])
        found = judge.compute()
        return Quality(float(found["psnr"]), float(found["ssim"]))

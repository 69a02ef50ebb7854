"""A VQ-VAE, or the one below a prior, as a user tries it: one sample in, its codes, what they decode to."""

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
from ganvas.play.work.shown_samples import is_played_or_read
from ganvas.play.work.source import Source
from ganvas.run.folder.usable import NEEDS

_LEAST = 3  # pixels of a side, from which on images are measured by SSIM


class Bits(NamedTuple):
    """What a sample's codes cost.

    Attributes:
        fixed: bits where every code is as likely as any other of its level.
        prior: bits under the run's prior; None without one, or where it needs a class that is not known.
        is_bound: whether that is an upper bound alone.
        rest: bits that say the sample given its codes, by a decoder that says how likely samples are.
    """

    fixed: float
    prior: float | None
    is_bound: bool
    rest: float | None = None

    @property
    def whole(self) -> float:
        """Bits of all that is known."""
        return (self.fixed if self.prior is None else self.prior) + (self.rest or 0)


class Autoencoder:
    """Encodes and decodes single samples.

    Args:
        model: of a VQ-VAE, or a prior, whose tokenizer is taken; in eval mode.
        data: its data module.
        place: the run's folder, for what is refused.

    Attributes:
        source: of samples.
        levels: of its codes.
        num_cuts: how many first parts there are to decode alone: maps, or levels of one map.
        prior: None where the run is none.

    Raises:
        OptionError: ``RUN``: it has no codes, or those of samples that a page cannot show one by one.
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
        self.source = Source(tokenizer.data, tokenizer.sample_shape, place)
        self.kind, self.layout = self.source.kind, tokenizer.layout
        self.is_played_or_read = is_played_or_read(self.kind, self.source.shape)
        self.levels = levels_of(self.layout)
        self._tokenizer, self._place = tokenizer, place
        self._codes = Codes(tokenizer.recipe)
        self.num_cuts = self._codes.num_cuts

    @torch.no_grad()
    def encode(self, x: Tensor) -> Maps:
        """A sample [...] to its codes, of each map int64 [levels, *positions].

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
        """Codes, or the first ``cut`` parts of them, to a sample [...] on the CPU."""
        whole = tuple(one[None] for one in maps)
        with eval_mode(self._tokenizer.recipe):
            made = self._codes.decode(self._codes.cut(whole, cut) if cut else whole)[0].cpu()
        return made if self.kind.is_discrete else made.float()

    def everywhere(self, maps: Maps, level: Level, code: int) -> Tensor:
        """What a sample decodes to whose level holds one code in every cell, [...]."""
        own = list(maps)
        own[level.map] = maps[level.map].clone()
        own[level.map][level.within] = code
        return self.decode(tuple(own))

    def bits(
        self, maps: Maps, label: int | None = None, of: Tensor | None = None, cut: int | None = None
    ) -> Bits:
        """What the codes cost; under a prior by class, of that class.

        Args:
            of: the sample [...] that they are of, where what the decoder leaves of it is counted too.
            cut: how many first parts are counted, by equal chances alone; None: all.
        """
        if cut is not None and cut < self.num_cuts:
            first = self._codes.cut(tuple(one[None] for one in maps), cut)
            return Bits(self._bits_of(first), None, is_bound=False)
        fixed, rest = self.layout.bits, None if of is None else self._rest(maps, of)
        prior = self.prior
        if prior is None:
            return Bits(fixed, None, is_bound=False, rest=rest)
        by_class = prior.num_classes is not None
        is_bound = not prior.causal
        if by_class and label is None and not prior.label_dropout:
            return Bits(fixed, None, is_bound, rest)  # it has never seen a sample without a class
        codes = self.layout.flatten(tuple(one[None] for one in maps)).to(prior.device)
        own = None if label is None or not by_class else torch.tensor([label], device=prior.device)
        return Bits(fixed, float(prior.bits(codes, own)[0]), is_bound, rest)

    def _bits_of(self, maps: Maps) -> float:
        """Of the first levels of the first maps [1, levels, *positions]."""
        pairs = zip(maps, self.layout.sizes, strict=False)
        return sum(
            one[0, 0].numel() * sum(math.log2(size) for size in sizes[: one.shape[1]]) for one, sizes in pairs
        )

    def _rest(self, maps: Maps, x: Tensor) -> float | None:
        codes = self.layout.flatten(tuple(one[None] for one in maps))
        nats = self._tokenizer.rest_nats(x[None], codes.to(self._tokenizer.recipe.device))
        return None if nats is None else float(nats[0]) / math.log(2)

    def colours(self, maps: Maps, level: Level) -> Tensor:
        """A level's codes as colours, a pixel a cell: uint8 [3, rows, columns]."""
        return code_colours(cells_of(maps, level), level.size).permute(2, 0, 1)

    def all_colours(self, maps: Maps) -> Tensor | None:
        """All levels' uint8 [3, levels, columns], the first one above; None where they are no rows."""
        rows = [self.colours(maps, level) for level in self.levels]
        return torch.cat(rows, 1) if {one.shape[1:] for one in rows} == {(1, rows[0].shape[2])} else None

    def colour(self, level: Level, code: int) -> str:
        """A code's colour in a map, as CSS has it."""
        red, green, blue = code_colours(torch.tensor(code), level.size).tolist()
        return f"#{red:02x}{green:02x}{blue:02x}"

    def quality(self, original: Tensor, other: Tensor) -> dict[str, float]:
        """By the protocol of ``ganvas evaluate``, of one sample, what its modality measures.

        PSNR, where there is one, is the first, and infinite where they are equal; without measures of samples
        that are too small for them.
        """
        if self.kind.has_psnr and min(self.source.shape[-self.kind.sides :]) < _LEAST:
            values = [self.kind.compared(one.double()) for one in (original, other)]
            off = (values[0] - values[1]).square().mean().item()
            return {"psnr": -10 * math.log10(off) if off else math.inf}
        judge = ReconstructionQuality(self.kind, list(self.source.shape))
        judge.update(original=original[None], reconstruction=other[None])
        found = {name: float(value) for name, value in judge.compute().items()}
        return {name: found[name] for name in sorted(judge.better, key=lambda name: name != "psnr")}

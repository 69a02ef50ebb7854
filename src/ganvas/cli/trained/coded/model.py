"""What a RUN makes of samples and codes, in float64, so that every machine makes the same of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.callback.drawing.codes import Codes
from ganvas.codec.account import model_hash
from ganvas.codec.lossless import to_uint8
from ganvas.errors import OptionError, require
from ganvas.functional.code_layout import CodeLayout
from ganvas.modality.interface import Modality
from ganvas.model.code_model import CodeModel
from ganvas.model.interface import has_codes
from ganvas.model.symbols import Symbols
from ganvas.model.tokenizer import Tokenizer
from ganvas.model.training.recipe import Recipe
from ganvas.run.folder.usable import NEEDS

Pixels = npt.NDArray[np.uint8]
State = Mapping[str, Tensor]


class CodedModel:
    """A tokenizer, and the prior over its codes where the run has one.

    Args:
        recipe: of a VQ-VAE, or of a prior, in eval mode; its networks become float64 ones, in place.
        data: its data module.
        place: the run's folder.

    Attributes:
        data: what the tokenizer was trained on.
        shape: of what the tokenizer takes, e.g. [C, H, W].
        modality: what that is.
        context: samples beside a clip, on each side, that the tokenizer is shown of a longer one; 0 where it
            takes no other length.
        has_prior: whether the run is that of a prior.
        prior: None where it is not, or is of one that does not say a code from those before it.
        is_by_class: whether the prior knows no codes but those of a class.
        num_levels: how many first levels, or maps of a VQ-VAE-2, codes can be cut to.
        layouts: of codes that are cut to 1, 2, ... of them; the last one is whole.

    Raises:
        OptionError: ``RUN``: it has no codes, or of samples that have no files.
    """

    def __init__(self, recipe: Recipe, data: Any, place: Path) -> None:
        self.place, self.prior, self._device = place, None, recipe.device
        self.has_prior = isinstance(recipe, CodeModel)
        self.is_by_class = False
        state, weights = None, recipe.state_dict()
        if isinstance(recipe, CodeModel):
            tokenizer, state = recipe.tokenizer.to(recipe.device), weights
            weights = {} if isinstance(tokenizer, Symbols) else tokenizer.recipe.state_dict()
            self.prior = recipe.network() if recipe.prior.causal else None
            self.is_by_class = recipe.num_classes is not None and recipe.label_dropout == 0
        else:
            require(has_codes(recipe), "RUN", place, NEEDS["encode"].reason)
            tokenizer = Tokenizer(recipe, data, sha256="", place=str(place))
        self.data, self.shape = tokenizer.data, tokenizer.sample_shape
        self.modality: Modality = self.data.modality
        rule = f"has codes of samples {list(self.shape)}, which have no files; take a run on images"
        require(bool(self.modality.endings) and len(self.shape) <= 3, "RUN", place, rule)
        self.hash, self.hash_with_prior = hashes(weights, state)
        self._codes = (
            Verbatim(tokenizer) if isinstance(tokenizer, Symbols) else Codes(tokenizer.recipe.double())
        )
        self.num_levels = self._codes.num_cuts
        self.layouts = [*self._cut_layouts(tokenizer.layout), tokenizer.layout]
        self.context = 0 if len(self.shape) == 3 else self._context(tokenizer.layout)

    @property
    def channels(self) -> int:
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of what the tokenizer takes; a clip has height 1."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else (1, self.shape[-1])

    def layout_like(self, layout: CodeLayout) -> CodeLayout:
        """The same where it is one of these codes'; else that of the whole, which is none of the file's."""
        return layout if layout in self.layouts else self.layouts[-1]

    @torch.no_grad()
    def encode(self, tiles: Pixels, levels: int) -> Tensor:
        """uint8 [B, C, H, W] to codes int64 [B, N] of their first levels, on the CPU.

        Raises:
            OptionError: ``RUN``: the encoder makes numbers that are not finite.
        """
        return self.layouts[levels - 1].flatten(self.maps_of(torch.from_numpy(tiles), levels)).cpu()

    @torch.no_grad()
    def maps_of(self, stored: Tensor, levels: int) -> tuple[Tensor, ...]:
        """Stored samples [B, ...], of clips of any length, to the first levels of their codes; see
        :meth:`encode`."""
        x = self.modality.to_model(stored).to(self._device)
        x = x.double() if x.is_floating_point() else x
        try:
            maps = self._codes.encode(x)
        except OptionError:
            raise
        except ValueError as error:
            reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
            raise OptionError("RUN", self.place, reason) from error
        return self._codes.cut(maps, levels) if levels < self.num_levels else maps

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, N] of some levels to float64 [B, C, H, W] in [-1, 1]."""
        return self.samples_of(self.unflatten(codes)).double()

    def unflatten(self, codes: Tensor) -> tuple[Tensor, ...]:
        """Codes int64 [B, N] of some levels to maps on the networks' device."""
        layout = next(one for one in self.layouts if one.length == codes.shape[1])
        return self._maps(codes.to(self._device), layout)

    @torch.no_grad()
    def samples_of(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Maps of codes, of clips of any length, to samples [B, ...] as networks make them."""
        return self._codes.decode(maps)

    def _context(self, layout: CodeLayout) -> int:
        """Half a clip, in samples, where a clip that is longer by it has as many more codes."""
        length, at = self.shape[-1], layout.positions
        places = at[0][0] if len(at) == 1 and len(at[0]) == 1 else 0
        if not places or length % places or isinstance(self._codes, Verbatim):
            return 0
        context = places // 2 * (length // places)
        longer = torch.zeros(1, *self.shape[:-1], length + 2 * context)
        try:
            maps = self.maps_of(self.modality.to_stored(longer), self.num_levels)
            fits = maps[0].shape[2:] == (places + 2 * (places // 2),)
            return context if fits and self.samples_of(maps).shape == longer.shape else 0
        except (OptionError, ValueError, RuntimeError):  # its networks take one length
            return 0

    def decode_pixels(self, codes: Tensor) -> Pixels:
        """The same as uint8."""
        return to_uint8(self.decode(codes))

    def _cut_layouts(self, whole: CodeLayout) -> list[CodeLayout]:
        maps = self._maps(torch.zeros(1, whole.length, dtype=torch.int64), whole)
        cuts = [self._codes.cut(maps, levels) for levels in range(1, self.num_levels)]
        return [CodeLayout.of(cut, self._codes.level_sizes) for cut in cuts]

    @staticmethod
    def _maps(codes: Tensor, layout: CodeLayout) -> tuple[Tensor, ...]:
        maps = layout.unflatten(codes)
        return (maps,) if isinstance(maps, Tensor) else maps


class Verbatim:
    """Symbols as codes of themselves, as :class:`ganvas.callback.drawing.codes.Codes` has those of others."""

    num_cuts = 1

    def __init__(self, symbols: Symbols) -> None:
        self.level_sizes = symbols.layout.sizes[0]

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x[:, None],)

    def decode(self, codes: tuple[Tensor, ...]) -> Tensor:
        return codes[0][:, 0]

    def cut(self, codes: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
        return codes


def hashes(tokenizer: State, prior: State | None) -> tuple[bytes, bytes | None]:
    """By what a file knows a tokenizer, and a tokenizer with its prior, from what their checkpoints hold.

    Counted is what a decoder needs: quantizer and decoder, and of a prior its average, where it has one.
    """
    decoding = _part(tokenizer, "quantizer.") | _part(tokenizer, "decoder.")
    if prior is None:
        return model_hash(decoding), None
    network = _part(prior, "ema.average.", cut=True) or _part(prior, "prior.", cut=True)
    return model_hash(decoding), model_hash(decoding, network)


def _part(state: State, prefix: str, *, cut: bool = False) -> dict[str, Tensor]:
    start = len(prefix) if cut else 0
    return {name[start:]: value for name, value in state.items() if name.startswith(prefix)}

"""What a RUN makes of pictures and codes, in float64, so that every machine makes the same of them."""

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
from ganvas.functional.images import to_float
from ganvas.model.code_model import CodeModel
from ganvas.model.interface import has_codes
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
        shape: of what the tokenizer takes, [C, H, W].
        has_prior: whether the run is that of a prior.
        prior: None where it is not, or is of one that does not say a code from those before it.
        num_levels: how many first levels, or maps of a VQ-VAE-2, codes can be cut to.
        layouts: of codes that are cut to 1, 2, ... of them; the last one is whole.

    Raises:
        OptionError: ``RUN``: it has no codes, or those of other than images.
    """

    def __init__(self, recipe: Recipe, data: Any, place: Path) -> None:
        self.place, self.prior, self._device = place, None, recipe.device
        self.has_prior = isinstance(recipe, CodeModel)
        state, weights = None, recipe.state_dict()
        if isinstance(recipe, CodeModel):
            tokenizer, state = recipe.tokenizer.to(recipe.device), weights
            weights = tokenizer.recipe.state_dict()
            self.prior = recipe.network() if recipe.prior.causal else None
        else:
            require(has_codes(recipe), "RUN", place, NEEDS["encode"].reason)
            tokenizer = Tokenizer(recipe, data, sha256="", place=str(place))
        self.data, self.shape = tokenizer.data, tokenizer.sample_shape
        rule = f"has codes of samples {list(self.shape)}; it must be a run on images"
        require(len(self.shape) == 3, "RUN", place, rule)
        self.hash, self.hash_with_prior = hashes(weights, state)
        self._codes = Codes(tokenizer.recipe.double())
        self.num_levels = self._codes.num_cuts
        self.layouts = [*self._cut_layouts(tokenizer.layout), tokenizer.layout]

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of what the tokenizer takes."""
        return self.shape[1], self.shape[2]

    def layout_like(self, layout: CodeLayout) -> CodeLayout:
        """The same where it is one of these codes'; else that of the whole, which is none of the file's."""
        return layout if layout in self.layouts else self.layouts[-1]

    @torch.no_grad()
    def encode(self, tiles: Pixels, levels: int) -> Tensor:
        """uint8 [B, C, H, W] to codes int64 [B, N] of their first levels, on the CPU.

        Raises:
            OptionError: ``RUN``: the encoder makes numbers that are not finite.
        """
        x = to_float(torch.from_numpy(tiles)).double().to(self._device)
        try:
            maps = self._codes.encode(x)
        except OptionError:
            raise
        except ValueError as error:
            reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
            raise OptionError("RUN", self.place, reason) from error
        if levels < self.num_levels:
            maps = self._codes.cut(maps, levels)
        return self.layouts[levels - 1].flatten(maps).cpu()

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, N] of some levels to float64 [B, C, H, W] in [-1, 1]."""
        layout = next(one for one in self.layouts if one.length == codes.shape[1])
        return self._codes.decode(self._maps(codes.to(self._device), layout)).double()

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

"""What a tokenizer's decoder takes, as data for a generator: latents of codes, by channel in [-1, 1]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, require
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.modes import eval_mode
from ganvas.model.interface import has_one_size


class Decodes(Protocol):
    """What is asked of a tokenizer (``ganvas.model.tokenizer.Tokenizer`` in full, which makes the space)."""

    recipe: Any
    layout: CodeLayout
    place: str
    sha256: str

    def to(self, device: torch.device) -> Any: ...

    def encode(self, x: Tensor) -> Tensor: ...


class LatentSpace(nn.Module):
    """Latents z [B, D, *positions] that a trained decoder takes, and x of the same shape in [-1, 1].

        x = (z - (highest + lowest) / 2) / ((highest - lowest) / 2),   by channel

    The bounds are buffers, so that a checkpoint of what was trained on x holds them. The networks are the
    tokenizer's, not this module's: they never move, and no checkpoint of it has them.

    Args:
        tokenizer: the autoencoder.
        snap: of what is decoded each vector is first replaced by the nearest code.

    Attributes:
        shape: of one sample's latents, (D, *positions).

    Raises:
        OptionError: ``tokenizer``: a recipe without a decoder; ``snap``: codes that are not the nearest ones.
    """

    lowest: Tensor  # [D]
    highest: Tensor  # [D]

    def __init__(self, tokenizer: Decodes, *, snap: bool = False) -> None:
        super().__init__()
        recipe: Any = tokenizer.recipe
        has_decoder = isinstance(getattr(recipe, "decoder", None), nn.Module)
        require(has_decoder, "tokenizer", tokenizer.place, "has no decoder; it must be the run of a VQ-VAE")
        takes_nearest = has_one_size(recipe) and recipe.quantizer.takes_nearest
        rule = (
            f"{type(recipe.quantizer).__name__} does not take the nearest code; false decodes latents as made"
        )
        require(not snap or takes_nearest, "snap", snap, rule)
        self.tokenizer, self.snap = tokenizer, snap
        nothing = torch.zeros(1, tokenizer.layout.length, dtype=torch.int64, device=recipe.device)
        self.shape = tuple(self._vectors(nothing).shape[1:])
        self.register_buffer("lowest", torch.zeros(self.shape[0]))
        self.register_buffer("highest", torch.zeros(self.shape[0]))

    @property
    def is_fitted(self) -> bool:
        """Whether the bounds are set, by :meth:`fit` or a checkpoint."""
        return bool((self.lowest != self.highest).any())

    @torch.no_grad()
    def fit(self, codes: Iterable[Tensor]) -> None:
        """Sets the bounds to the smallest and largest value of each channel over codes int64 [B, N].

        No sums are taken, so that they are the same whatever the batches.

        Raises:
            OptionError: ``tokenizer``: all codes are alike.
        """
        lows, highs = [], []
        for batch in codes:
            channels = self._vectors(batch).transpose(0, 1).flatten(1)  # [D, B * positions]
            lows.append(channels.amin(1))
            highs.append(channels.amax(1))
        self.lowest.copy_(torch.stack(lows).amin(0))
        self.highest.copy_(torch.stack(highs).amax(0))
        if not self.is_fitted:
            raise OptionError("tokenizer", self.tokenizer.place, "has one code for all data; train it longer")

    @torch.no_grad()
    def of(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, N] to x [B, D, *positions] on their device; those of ``fit`` are in [-1, 1]."""
        z = self._vectors(codes)
        middle, half = self._scale(z)
        return (z - middle) / half

    def encode(self, samples: Tensor) -> Tensor:
        """Samples [B, ...] in [-1, 1] to the x of their codes; on the samples' device."""
        self.tokenizer.to(samples.device)
        return self.of(self.tokenizer.encode(samples))

    @torch.no_grad()
    def decode(self, x: Tensor) -> Tensor:
        """x [B, D, *positions] to samples [B, ...] in [-1, 1], on the device of x.

        Raises:
            ValueError: x of another shape.
        """
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"latents of shape {list(x.shape)}: must be [B, {', '.join(map(str, self.shape))}]"
            )
        recipe: Any = self.tokenizer.to(x.device).recipe
        z = x.to(next(recipe.decoder.parameters()).dtype)
        middle, half = self._scale(z)
        z = z * half + middle
        with eval_mode(recipe.quantizer, recipe.decoder):
            if self.snap:
                z = recipe.quantizer.decode(recipe.quantizer.encode(z))
            made: Tensor = recipe.decoder(z)
        return made.clamp(-1, 1)

    def _vectors(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, N] to the code vectors z [B, D, *positions]."""
        recipe: Any = self.tokenizer.to(codes.device).recipe
        with eval_mode(recipe.quantizer), torch.no_grad():
            found: Tensor = recipe.quantizer.decode(self.tokenizer.layout.unflatten(codes))
        return found

    def _scale(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Middle and half of the range, [D, 1, ...]; of a channel that never changes 1 is the half."""
        shape = (-1, *(1 for _ in self.shape[1:]))
        low, high = self.lowest.to(z).view(shape), self.highest.to(z).view(shape)
        half = (high - low) / 2
        return (high + low) / 2, half.where(half > 0, torch.ones_like(half))

"""What a program computes, as plain modules in eval mode: tensors in, tensors out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ganvas.functional.code_layout import CodeLayout


class Generate(nn.Module):
    """Latents (and classes) to samples, through a tokenizer's decoder where the generator makes its latents.

    Args:
        generator: the network whose samples are shown.
        space: of a generator of latents, a ``ganvas.model.latent_space.LatentSpace``.
        conditional: takes classes.
        truncates: takes a truncation psi, as StyleGAN2's generator has it.
    """

    def __init__(self, generator: nn.Module, *, space: Any, conditional: bool, truncates: bool) -> None:
        super().__init__()
        self.generator, self.conditional, self.truncates = generator, conditional, truncates
        self.decode: nn.Module | None = None if space is None else DecodeLatents(space)

    def forward(self, z: Tensor, *more: Tensor) -> Tensor:
        """z [B, latent_dim], then label int64 [B] and truncation float32 [], where they are taken."""
        network: Any = self.generator
        label = more[0] if self.conditional else None
        if self.truncates:
            styles = network.styles(z, label)  # [B, num_styles, w_dim]
            made = network.synthesize(torch.lerp(network.w_avg, styles, more[-1])).clamp(-1, 1)
        else:
            made = network(z, label)
        found: Tensor = made if self.decode is None else self.decode(made)
        return found


class DecodeLatents(nn.Module):
    """Latents x [B, D, *positions] in [-1, 1], as a generator makes them, to samples."""

    middle: Tensor
    spread: Tensor

    def __init__(self, space: Any) -> None:
        super().__init__()
        recipe = space.tokenizer.recipe
        self.quantizer, self.decoder, self.snap = recipe.quantizer, recipe.decoder, space.snap
        half: Tensor = (space.highest - space.lowest) / 2
        shape = (-1, *(1 for _ in space.shape[1:]))
        self.register_buffer("middle", ((space.highest + space.lowest) / 2).view(shape))
        self.register_buffer("spread", half.where(half > 0, torch.ones_like(half)).view(shape))

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, *positions] to samples [B, ...] in [-1, 1]."""
        z = x * self.spread + self.middle
        if self.snap:
            z = self.quantizer.decode(self.quantizer.encode(z))
        return self.decoder(z).clamp(-1, 1)  # type: ignore[no-any-return]


class Encode(nn.Module):
    """Samples to codes.

    Args:
        recipe: an autoencoder with codes.
        layout: gives codes as one sequence [B, N]; None: as the recipe does, one tensor for each size.
    """

    def __init__(self, recipe: Any, layout: CodeLayout | None) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.layout = recipe.encoder, recipe.quantizer, layout

    def forward(self, x: Tensor) -> Any:
        """Samples [B, ...] in [-1, 1] to int64."""
        indices = self.quantizer.encode(self.encoder(x))
        return indices if self.layout is None else self.layout.flatten(indices)


class Decode(nn.Module):
    """Codes to samples; of symbols, to the likeliest of each place. The arguments are :class:`Encode`'s."""

    def __init__(self, recipe: Any, layout: CodeLayout | None, *, symbols: bool = False) -> None:
        super().__init__()
        self.symbols = symbols
        self.quantizer, self.decoder, self.layout = recipe.quantizer, recipe.decoder, layout

    def forward(self, *codes: Tensor) -> Tensor:
        """int64, as :class:`Encode` gives them, to samples [B, ...] in [-1, 1]."""
        indices: Any = codes[0] if len(codes) == 1 else codes
        if self.layout is not None:
            indices = self.layout.unflatten(codes[0])
        made: Tensor = self.decoder(self.quantizer.decode(indices))
        return made.argmax(1) if self.symbols else made.clamp(-1, 1)


class Classify(nn.Module):
    """Samples to the logits of classes and the features before them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, ...] in [-1, 1] to logits [B, K] and features [B, F]."""
        found = self.network(x)
        return found.logits, found.features

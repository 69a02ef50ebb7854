"""The VQ-VAE-2 recipe (Razavi 2019, arXiv:1906.00446, algorithm 1): codes of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import OptionError, require, require_whole
from ganvas.functional.code_usage import of_all_levels
from ganvas.functional.modes import eval_mode
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss
from ganvas.model.vqvae import VQVAE


class LevelsOutput(NamedTuple):
    """One quantization of a pyramid.

    Attributes:
        quantized: [B, 2 D, H, W], what the decoder makes images of.
        indices: of every level int64 [B, levels of its quantizer, h, w], the top first.
        loss, metrics: as in :class:`ganvas.model.quantizer.interface.QuantizerOutput`.
    """

    quantized: Tensor
    indices: tuple[Tensor, ...]
    loss: Tensor
    metrics: dict[str, Tensor]


class Pyramid(nn.Module):
    """Encoders one upon another: images to features of every level, the bottom, the largest, first."""

    def __init__(self, encoder: nn.Module, upper: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList([encoder, *upper])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images [B, C, H, W] to features [B, hidden_dim, h, w] of each level."""
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return tuple(found)


class TopDown(nn.Module):
    """Quantizes a pyramid from the top down: each level below sees what those above it say.

        s = q_top;   at every level below:  z = conv(features, upper_decoder(s)),   s = (q, upsample(s))

    Args:
        quantizers: of every level, the top first; all of one ``embedding_dim`` D.
        upper_decoders: of every level but the bottom, the top first: [B, D or (below the top) 2 D, h, w] to
            features [B, hidden_dim, 2 h, 2 w].
        hidden_dim: channels of features.
        sides: height and width of the bottom's map, where they are known: levels that ``decode`` is not
            given have the sides that encoders halve these to; else those of what is above, doubled.
    """

    def __init__(
        self,
        quantizers: Sequence[Quantizer],
        upper_decoders: Sequence[nn.Module],
        hidden_dim: int,
        sides: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.sides = sides
        dim = quantizers[0].embedding_dim
        self.embedding_dim, self.quantizers = dim, nn.ModuleList(quantizers)
        self.upper_decoders = nn.ModuleList(upper_decoders)
        widths = [dim, *[2 * dim] * (len(quantizers) - 2)]  # of s, from the top to the last but one
        self.upsamplings = nn.ModuleList(nn.ConvTranspose2d(width, dim, 4, 2, 1) for width in widths)
        seen = [hidden_dim, *[2 * hidden_dim] * (len(quantizers) - 1)]
        self.to_latents = nn.ModuleList(nn.Conv2d(width, dim, 1) for width in seen)
        self.codebook_sizes = tuple(size for one in quantizers for size in one.codebook_sizes)

    def forward(self, features: tuple[Tensor, ...]) -> LevelsOutput:
        """Features of every level, the bottom first, to their codes."""
        found: list[QuantizerOutput] = []

        def quantize(z: Tensor, level: int) -> Tensor:
            found.append(self.quantizers[level](z))
            return found[-1].quantized

        quantized = self._walk(features, quantize)
        return LevelsOutput(
            quantized,
            tuple(one.indices for one in found),
            torch.stack([one.loss for one in found]).sum(),
            of_all_levels([one.metrics for one in found]),
        )

    def encode(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Features of every level, the bottom first, to indices of every level, the top first."""
        found: list[Tensor] = []

        def quantize(z: Tensor, level: int) -> Tensor:
            one: Quantizer = self.quantizers[level]  # type: ignore[assignment]
            found.append(one.encode(z))
            return one.decode(found[-1])

        self._walk(features, quantize)
        return tuple(found)

    def decode(self, indices: Sequence[Tensor]) -> Tensor:
        """Indices of every level, the top first, or of the first ones alone, to [B, 2 D, H, W].

        Where a level is not given, its codes are zeros.
        """
        count = len(self.quantizers)
        if not 1 <= len(indices) <= count:
            raise ValueError(f"{len(indices)} levels of indices: must be 1 to {count}, the top first")
        said: Tensor | None = None
        for level in range(count):
            one: Quantizer = self.quantizers[level]  # type: ignore[assignment]
            codes = one.decode(indices[level]) if level < len(indices) else None
            said = self._joined(said, codes, level)
        assert said is not None  # there is a level
        return said

    def _walk(self, features: tuple[Tensor, ...], quantize: Callable[[Tensor, int], Tensor]) -> Tensor:
        said: Tensor | None = None
        for level, own in enumerate(reversed(features)):
            seen = own
            if said is not None:
                above = self.upper_decoders[level - 1](said)
                seen = torch.cat([own, _cut(above, own)], dim=1)
            said = self._joined(said, quantize(self.to_latents[level](seen), level), level)
        assert said is not None  # there is a level
        return said

    def _joined(self, said: Tensor | None, codes: Tensor | None, level: int) -> Tensor:
        """s of a level: its codes beside what those above it say; ``codes`` None: zeros."""
        if said is None:
            assert codes is not None  # the top is always given
            return codes
        above = self.upsamplings[level - 1](said)
        if codes is None:
            halvings = len(self.quantizers) - 1 - level
            sides = [-(-side // 2**halvings) for side in self.sides or ()] or above.shape[2:]
            codes = above.new_zeros(*above.shape[:2], *sides)
        return torch.cat([codes.to(above.dtype), _cut(above, codes)], dim=1)


class VQVAE2(VQVAE):
    """Vector-quantized autoencoder with a map of codes for each of several sizes of features.

    Level 1 is the top, the smallest map; ``codebook_sizes``, indices and metrics count from there.

    Args:
        encoder: images to the features of the bottom [B, hidden_dim, h, w].
        upper_encoder: makes the encoder from one level's features to the next one's, of half the sides.
        quantizer: makes a level's quantizer.
        decoder: quantized latents [B, 2 D, h, w] back to images.
        upper_decoder: makes the decoder of a level's latents to features of twice the sides, with
            ``embedding_dim``, the channels that it takes.
        levels: how many; the paper has two, and three for its largest images.
        hidden_dim: channels of features.
        reconstruction_loss, optimizer, grad_clip, seed: see :class:`ganvas.model.vqvae.VQVAE`.

    Raises:
        OptionError: fewer than two levels, or a ``hidden_dim`` below 1.
    """

    reports = VQVAE.reports

    def __init__(
        self,
        *,
        encoder: nn.Module,
        upper_encoder: Callable[..., nn.Module],
        quantizer: Callable[..., Quantizer],
        decoder: nn.Module,
        upper_decoder: Callable[..., nn.Module],
        levels: int,
        hidden_dim: int,
        reconstruction_loss: ReconstructionLoss,
        optimizer: Callable[[Any], Optimizer],
        grad_clip: float | None,
        seed: int,
    ) -> None:
        require(levels >= 2, "levels", levels, "must be at least 2; model=vqvae has one")
        require_whole("hidden_dim", hidden_dim, 1, "128 is usual")
        above = [_made(upper_encoder, "upper_encoder") for _ in range(levels - 1)]
        quantizers = [_made(quantizer, "quantizer") for _ in range(levels)]
        for one in quantizers:
            require(isinstance(one, Quantizer), "quantizer", type(one).__name__, "must make a Quantizer")
        dim = quantizers[0].embedding_dim
        widths = [dim, *[2 * dim] * (levels - 2)]
        decoders = [_made(upper_decoder, "upper_decoder", embedding_dim=width) for width in widths]
        super().__init__(
            encoder=Pyramid(encoder, above),
            quantizer=TopDown(  # type: ignore[arg-type]  # by its methods
                quantizers, decoders, hidden_dim, getattr(getattr(decoder, "grid", None), "sides", None)
            ),
            decoder=decoder,
            reconstruction_loss=reconstruction_loss,
            optimizer=optimizer,
            grad_clip=grad_clip,
            seed=seed,
        )

    @torch.no_grad()
    def encode(self, x: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]  # maps of several sizes
        """Images [B, ...] in [-1, 1] to codes of every level, the top first; networks in eval mode.

        Each level's are int64 [B, levels of its quantizer, h, w].
        """
        with eval_mode(self.encoder, self.quantizer):
            return self._top_down.encode(self.encoder(x))

    @torch.no_grad()
    def decode(self, indices: Sequence[Tensor], levels: int | None = None) -> Tensor:  # type: ignore[override]
        """Codes as ``encode`` gives them to images [B, ...], clamped to [-1, 1]; networks in eval mode.

        Args:
            levels: how many of the first levels to take; all that are given without. Codes of the others are
                zeros: the image is less sharp.
        """
        if levels is not None:
            most = len(self._top_down.quantizers)
            require(1 <= levels <= most, "levels", levels, f"must be 1 to {most}")
            indices = indices[:levels]
        with eval_mode(self.quantizer, self.decoder):
            return self.decoder(self._top_down.decode(indices)).clamp(-1, 1)

    @property
    def _top_down(self) -> TopDown:
        one: Any = self.quantizer
        return one


def _made(make: Callable[..., Any], option: str, **options: Any) -> Any:
    try:
        return make(**options)
    except OptionError as error:
        raise error.under(option) from error


def _cut(above: Tensor, own: Tensor) -> Tensor:
    """``above`` [B, C, h, w] cut to the sides of ``own``, which padding may have made one smaller than its
    double."""
    (height, width), (tall, wide) = own.shape[2:], above.shape[2:]
    if tall < height or wide < width:
        reason = f"a map of {height} x {width} is halved and doubled to {tall} x {wide}"
        raise OptionError("image_size", f"{height}x{width}", f"{reason}; take sides that halve evenly")
    return above[:, :, :height, :width]

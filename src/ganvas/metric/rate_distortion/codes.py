"""Rate and distortion of codes: all equally likely, cut to their first levels, or under a prior."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ganvas.functional.batch import Batch
from ganvas.functional.images import to_uint8
from ganvas.metric.rate_distortion.point import Point, PooledError

FIXED = "fixed length"  # every code as likely as any other of its level


class CutCodes(Protocol):
    """An autoencoder's codes, int64 [B, levels, *positions] of each size that they have."""

    level_sizes: tuple[int, ...]
    num_cuts: int

    def encode(self, x: Tensor) -> tuple[Tensor, ...]: ...

    def cut(self, codes: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]: ...

    def decode(self, codes: tuple[Tensor, ...]) -> Tensor: ...


def bits_of_cut(codes: CutCodes, made: tuple[Tensor, ...], count: int) -> float:
    """Bits of a sample's first ``count`` parts, log2 K for each code of K; by cutting the levels' numbers.

    Args:
        made: codes of at least one sample.
    """
    numbers, first = [], 0
    for one in made:
        levels = torch.arange(first, first + one.shape[1]).view(1, -1, *[1] * (one.ndim - 2))
        numbers.append(levels.expand(1, *one.shape[1:]))
        first += one.shape[1]
    sizes = torch.tensor(codes.level_sizes, dtype=torch.float64)
    return sum(float(sizes[part].log2().sum()) for part in codes.cut(tuple(numbers), count))


@torch.no_grad()
def points_of_codes(codes: CutCodes, batches: Iterable[Batch], device: torch.device) -> list[Point]:
    """Of codes that can be cut, a point for each number of first levels; else one.

    Args:
        batches: images in [-1, 1], at least one.

    Raises:
        ValueError: the encoder makes numbers that are not finite.
    """
    counts = range(1, codes.num_cuts + 1)
    errors = [PooledError() for _ in counts]
    bits: list[float] = []
    for batch in batches:
        made, original = codes.encode(batch.x.to(device)), to_uint8(batch.x.cpu())
        for count, error in zip(counts, errors, strict=True):
            error.update(original, to_uint8(codes.decode(codes.cut(made, count)).cpu()))
        bits = bits or [bits_of_cut(codes, made, count) for count in counts]
    settings = [f"levels={count}" for count in counts] if len(counts) > 1 else [FIXED]
    found = zip(settings, bits, errors, strict=True)
    return [Point(setting, rate, error.psnr()) for setting, rate, error in found]


@torch.no_grad()
def points_of_prior(
    prior: Any, pairs: Iterable[tuple[Batch, Batch]], device: torch.device
) -> Sequence[Point]:
    """The codes under the prior, and the same codes at fixed length; both decode to the same images.

    Args:
        prior: a recipe (``ganvas.model.code_model.CodeModel``), in eval mode.
        pairs: codes int64 [B, N] with their classes, and their images in [-1, 1].
    """
    error, total, images = PooledError(), 0.0, 0
    for coded, real in pairs:
        codes = coded.x.to(device)
        label = None if coded.label is None else coded.label.to(device)
        total += math.fsum(prior.bits(codes, label, start=images).tolist())
        images += len(codes)
        error.update(to_uint8(real.x.cpu()), to_uint8(prior.tokenizer.decode(codes).cpu()))
    psnr = error.psnr()
    under = "under the prior" + (" (a bound)" if getattr(prior, "estimates", None) is not None else "")
    return [Point(under, total / images, psnr), Point(FIXED, prior.tokenizer.layout.bits, psnr)]

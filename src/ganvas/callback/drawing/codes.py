"""What codes decode to, and how often samples use them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.functional.batch import Batch
from ganvas.functional.code_choice import alone, by_use
from ganvas.functional.code_usage import counts_to_sum
from ganvas.model.interface import HasCodes


class CodeUse(NamedTuple):
    """How some samples use the codes of every level.

    Attributes:
        counts: of each level how often each code is used, [its size], dense or sparse, on the CPU.
        usual: int64 [1, levels, *positions]: at every position each level's most used code.
        samples: how many there were.
        shape: of a sample.
    """

    counts: tuple[Tensor, ...]
    usual: Tensor
    samples: int
    shape: tuple[int, ...]


class DecodedCodes(NamedTuple):
    """What codes of one level decode to, on the CPU.

    Attributes:
        x: [N, ...] in [-1, 1].
        vectors: what the decoder got of each, [N, D].
    """

    x: Tensor
    vectors: Tensor


def measure_use(model: HasCodes, batches: Iterable[Batch], device: torch.device) -> CodeUse:
    """Encodes samples, at least one, and counts their codes.

    Raises:
        ValueError: the encoder makes numbers of them that are not finite.
    """
    counts: list[Tensor] = []
    samples = 0
    for batch in batches:
        indices = model.encode(batch.x.to(device))  # [B, levels, *positions]
        sizes = model.quantizer.codebook_sizes
        found = [counts_to_sum(one, size).cpu() for one, size in zip(indices.unbind(1), sizes, strict=True)]
        counts = [old + new for old, new in zip(counts, found, strict=True)] if counts else found
        samples += len(batch.x)
        shape, first = tuple(batch.x.shape[1:]), indices[:1]
    most = torch.cat([by_use(one, 1)[0] for one in counts]).to(first.device)
    usual = most.view(1, -1, *[1] * (first.ndim - 2)).expand_as(first).contiguous()
    return CodeUse(tuple(counts), usual, samples, shape)


@torch.no_grad()
def decode_codes(
    model: HasCodes, use: CodeUse, level: int, codes: Tensor, *, batch_size: int = 64
) -> DecodedCodes:
    """What each code decodes to where it stands at every position.

    That is the one choice that fits every decoder: a code of a convolutional one has no patch of its own (its
    neighbours reach into it), one of an MLP or of a transformer no place at all. Levels before the code's
    hold their most used code; those after it are left out where the quantizer can be cut there, and hold
    theirs else.

    Args:
        level: from 0.
        codes: int64 [N], N at least 1.
    """
    quantizer = model.quantizer
    cuts = range(1, quantizer.num_cuts + 1)
    cut = next(k for k in cuts if quantizer.cut(use.usual, k).shape[1] > level)
    x, vectors = [], []
    for part in codes.split(batch_size):
        indices = alone(use.usual, level, part.to(use.usual.device))
        x.append(model.decode(indices, cut).cpu())
        vectors.append(quantizer.decode(indices, cut).flatten(2)[:, :, 0].float().cpu())
    return DecodedCodes(torch.cat(x), torch.cat(vectors))


def at_most(x: Tensor, side: int) -> Tensor:
    """Images [N, C, H, W] with no side above ``side`` pixels: means over areas; others as they are."""
    largest = max(x.shape[2:])
    if largest <= side:
        return x
    size = [max(1, round(length * side / largest)) for length in x.shape[2:]]
    return interpolate(x, size, mode="area")

"""What codes decode to, and how often samples use them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.functional.batch import Batch
from ganvas.functional.code_choice import alone, by_use
from ganvas.functional.code_usage import counts_to_sum
from ganvas.model.interface import HasCodes, has_one_size


class Codes:
    """A recipe's codes as a tuple of int64 [B, levels, *positions], one tensor of each size that they have.

    Most have one. Levels count through all sizes.

    Args:
        recipe: one that :func:`ganvas.model.interface.has_codes`.
    """

    def __init__(self, recipe: HasCodes) -> None:
        self.recipe, self.quantizer = recipe, recipe.quantizer
        self.level_sizes: tuple[int, ...] = recipe.quantizer.codebook_sizes
        self._one_size = has_one_size(recipe)
        many = len(self.quantizer.quantizers) if not self._one_size else int(self.quantizer.num_cuts)
        self.num_cuts = many  # how many first parts there are to be cut to

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        """Samples [B, ...] to their codes; ValueError where the encoder's numbers are not finite."""
        found = self.recipe.encode(x)
        return (found,) if self._one_size else found

    def decode(self, codes: tuple[Tensor, ...]) -> Tensor:
        """Codes, or what :meth:`cut` leaves of them, to samples [B, ...] in [-1, 1]."""
        return self.recipe.decode(codes[0] if self._one_size else codes)

    @torch.no_grad()
    def vectors(self, codes: tuple[Tensor, ...]) -> Tensor:
        """What the decoder gets of them at the first position, [B, its channels]."""
        made: Tensor = self.quantizer.decode(codes[0] if self._one_size else codes)
        return made.flatten(2)[:, :, 0]

    @torch.no_grad()
    def mean_vectors(self, codes: tuple[Tensor, ...]) -> Tensor:
        """The same as the mean over all positions, [B, its channels]."""
        made: Tensor = self.quantizer.decode(codes[0] if self._one_size else codes)
        return made.flatten(2).mean(2)

    def cut(self, codes: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
        """The first ``count`` of :attr:`num_cuts` parts: sizes where there are several, else levels."""
        return (self.quantizer.cut(codes[0], count),) if self._one_size else codes[:count]


class CodeUse(NamedTuple):
    """How some samples use the codes of every level.

    Attributes:
        counts: of each level how often each code is used, [its size], dense or sparse, on the CPU.
        usual: of each size of codes int64 [1, levels, *positions]: each level's most used code everywhere.
        samples: how many there were.
    """

    counts: tuple[Tensor, ...]
    usual: tuple[Tensor, ...]
    samples: int


class DecodedCodes(NamedTuple):
    """What codes of one level decode to, on the CPU.

    Attributes:
        x: [N, ...] in [-1, 1].
        vectors: what the decoder got of each, [N, D].
    """

    x: Tensor
    vectors: Tensor


def measure_use(codes: Codes, batches: Iterable[Batch], device: torch.device) -> CodeUse:
    """Encodes samples, at least one, and counts their codes.

    Raises:
        ValueError: the encoder makes numbers of them that are not finite.
    """
    counts: list[Tensor] = []
    samples = 0
    for batch in batches:
        made = codes.encode(batch.x.to(device))
        every = [level for part in made for level in part.unbind(1)]
        found = [counts_to_sum(one, size).cpu() for one, size in zip(every, codes.level_sizes, strict=True)]
        counts = [old + new for old, new in zip(counts, found, strict=True)] if counts else found
        samples += len(batch.x)
    most = torch.cat([by_use(one, 1)[0] for one in counts]).to(device)
    usual = []
    for part, own in zip(made, most.split([part.shape[1] for part in made]), strict=True):
        usual.append(own.view(1, -1, *[1] * (part.ndim - 2)).expand_as(part[:1]).contiguous())
    return CodeUse(tuple(counts), tuple(usual), samples)


def decode_codes(
    codes: Codes, use: CodeUse, level: int, which: Tensor, *, batch_size: int = 64
) -> DecodedCodes:
    """What each code decodes to where it stands at every position.

    That is the one choice that fits every decoder: a code of a convolutional one has no patch of its own (its
    neighbours reach into it), one of an MLP or of a transformer no place at all. Levels before the code's
    hold their most used code; those after it are left out where the codes can be cut there, and hold theirs
    else.

    Args:
        level: from 0.
        which: codes int64 [N], N at least 1.
    """
    part, before = 0, 0
    while level >= before + use.usual[part].shape[1]:
        before += use.usual[part].shape[1]
        part += 1
    within = level - before

    def holds(count: int) -> bool:
        first = codes.cut(use.usual, count)
        return len(first) > part and first[part].shape[1] > within

    count = next(count for count in range(1, codes.num_cuts + 1) if holds(count))
    x, vectors = [], []
    for some in which.split(batch_size):
        own = [one.expand(len(some), *one.shape[1:]) for one in use.usual]
        own[part] = alone(use.usual[part], within, some.to(own[part].device))
        first = codes.cut(tuple(own), count)
        x.append(codes.decode(first).cpu())
        vectors.append(codes.vectors(first).float().cpu())
    return DecodedCodes(torch.cat(x), torch.cat(vectors))

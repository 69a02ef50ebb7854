"""The quantizer that is looked at, as somebody makes it, and the latents that it is given."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ganvas.model.quantizer.interface import Quantizer

ANY_POSITIONS: tuple[tuple[int, ...], ...] = ((5,), (), (4, 5))
_MOST = 4096  # codes of which all are looked at


class Subject:
    """Makes quantizers, and inputs of the process's generator, which :class:`.suite.Check` seeds.

    Args:
        build: makes a new quantizer of the same options, with initial codes of torch's generator.
        positions: shapes of positions that it is given, the usual one first; of a quantizer that takes maps
            of one size alone, this size.
        batch: samples of a batch; with ``positions`` enough vectors for its codes to start at.
    """

    def __init__(
        self,
        build: Callable[[], Quantizer],
        *,
        positions: Sequence[tuple[int, ...]] = ANY_POSITIONS,
        batch: int = 8,
    ) -> None:
        self.build, self.positions, self.batch = build, tuple(positions), batch

    def fresh(self) -> Quantizer:
        """A new one, in training mode, that has seen nothing."""
        return self.build().train()

    def trained(self, training: bool = False) -> Quantizer:
        """One that has seen three training batches."""
        quantizer = self.fresh()
        for _ in range(3):
            quantizer(self.latents())
        return quantizer.train(training)

    @functools.cached_property
    def dim(self) -> int:
        """D; no number of the generator is taken for it."""
        with torch.random.fork_rng(devices=[]):
            return self.build().embedding_dim

    def latents(self, batch: int | None = None, positions: tuple[int, ...] | None = None) -> Tensor:
        """Normal latents, float32 [batch, D, *positions]."""
        where = self.positions[0] if positions is None else positions
        return torch.randn(self.batch if batch is None else batch, self.dim, *where)

    def indices(self, quantizer: Quantizer, batch: int | None = None) -> Tensor:
        """Random indices in range, int64 of the shape that ``encode`` gives of latents."""
        return _random(quantizer, tuple(quantizer.encode(self.latents(batch)).shape))

    def all_indices(self, quantizer: Quantizer) -> Tensor:
        """Indices no two of which are alike: all combinations of codes where these are few and stand alone.

        int64 [N, levels] or, of a quantizer that takes maps alone, of the shape that ``encode`` gives.
        """
        sizes = quantizer.codebook_sizes
        if () not in self.positions:
            return self.indices(quantizer, 64).unique(dim=0)
        if math.prod(sizes) <= _MOST:
            return torch.tensor(list(itertools.product(*(range(size) for size in sizes))))
        return _random(quantizer, (1000, len(sizes))).unique(dim=0)


def _random(quantizer: Quantizer, shape: tuple[int, ...]) -> Tensor:
    sizes = quantizer.codebook_sizes
    own = [torch.randint(size, (shape[0], 1, *shape[2:])) for size in sizes]
    return torch.cat(own, dim=1)


def draws(quantizer: Quantizer, training: bool = True) -> bool:
    """Whether codes in this mode have noise, so that they are not those of ``encode``."""
    return training and bool(getattr(quantizer, "draws_codes", False))

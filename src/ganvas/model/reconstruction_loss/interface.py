"""What a recipe asks of a reconstruction loss."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.batch import DataFacts
from ganvas.functional.contracts import put_contracts, unlike
from ganvas.functional.precision import WIDE, at_least_float32


class ReconstructionLoss(ABC):
    """A distance between samples and what came back through the bottleneck, times its weight.

    What a subclass writes gets float32 (float64 where they are); two shapes raise ValueError, for they would
    be broadcast. It is multiplied by ``weight`` here.

    Attributes:
        weight: what the distance is multiplied by.
        needs_bounded: whether it is one of values in [-1, 1] alone: what a decoder makes must lie there.
        of_logits: whether it is one of symbols: reconstructions are logits [B, V, ...] of the V symbols, the
            target int64 [B, ...].

    Args:
        weight: positive.

    Raises:
        OptionError: another weight.
    """

    weight: float = 1.0  # of one that leaves the constructor out
    needs_bounded: bool = False
    of_logits: bool = False

    def __init__(self, weight: float = 1.0) -> None:
        is_one = 0 < weight < math.inf
        require(is_one, "weight", weight, "must be positive; a loss that shall not count is left out")
        self.weight = weight

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, __call__=_of_one_shape)

    @abstractmethod
    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        """Two tensors [B, ...] of one shape, about [-1, 1], to a scalar mean with a gradient.

        Where it is ``of_logits``: logits [B, V, ...] and symbols int64 [B, ...].
        """

    def with_terms(self, *, reconstruction: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and by name the terms that it is the sum of; none where it is one."""
        return self(reconstruction=reconstruction, target=target), {}

    def check(self, facts: Callable[[], DataFacts]) -> None:
        """Called once before training; it may load what belongs to these data.

        Args:
            facts: of the data; to ask costs a look at all training samples.

        Raises:
            OptionError: the data are not of its kind, or something is missing; how to mend it.
        """
        del facts

    def rests_on(self) -> dict[str, object]:
        """Plain values that name what it reads and no checkpoint holds; after :meth:`check`."""
        return {}


def _of_one_shape(loss: Any) -> Any:
    def checked(self: ReconstructionLoss, *, reconstruction: Tensor, target: Tensor) -> Any:
        if self.of_logits:
            _require_logits(reconstruction, target)
            reconstruction = at_least_float32(reconstruction)
        elif reconstruction.shape != target.shape:
            raise unlike(reconstruction=reconstruction, target=target)
        elif reconstruction.dtype not in WIDE or target.dtype not in WIDE:
            reconstruction, target = at_least_float32(reconstruction), at_least_float32(target)
        distance = loss(self, reconstruction=reconstruction, target=target)
        return distance if self.weight == 1 else self.weight * distance

    return checked


def _require_logits(logits: Tensor, target: Tensor) -> None:
    shape = (*logits.shape[:1], *logits.shape[2:])
    if logits.ndim < 2 or shape != target.shape or target.dtype != torch.int64:
        found = f"{list(logits.shape)} and symbols {target.dtype} {list(target.shape)}"
        raise ValueError(f"logits {found}: must be [B, V, ...] and int64 [B, ...]")

"""A prior as a source of weights: one call for each element, for all samples of a block."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ganvas.codec.probabilities import NUM_SHIFTS, edges, integer_weights
from ganvas.functional.code_layout import CodeLayout

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Prior(Protocol):
    """What is asked of a prior; an nn.Module."""

    layout: CodeLayout
    num_classes: int | None

    def begin(self, batch: int, label: Tensor | None = None) -> Any:
        """The state before the first element; label int64 [batch], num_classes for "no class"."""
        ...

    def following(self, state: Any, previous: Tensor | None) -> Tensor:
        """Logits [batch, V] of the next element, given the one before (int64 [batch], None for the first)."""
        ...


def in_float64(prior: Prior) -> Prior:
    """A copy in float64 and eval mode: what files are written and read with.

    Raises:
        ValueError: it is no nn.Module, or has a parameter that is not finite.
    """
    if not isinstance(prior, nn.Module):
        raise ValueError(f"a prior must be an nn.Module: found {type(prior).__name__}")
    found = copy.deepcopy(prior).double().eval().requires_grad_(False)
    if not all(torch.isfinite(parameter).all() for parameter in found.parameters()):
        raise ValueError("a prior has a parameter that is not finite")
    return found


class PriorSource:
    """Weights of a block by a prior in float64 (:func:`in_float64`).

    Encoder and decoder take the same path through the network, ``following``, with the same batch.

    Args:
        prior: the network, on any device.
        batch: samples of the block.
        label: int64 [batch]; None where the prior has no classes, or for "no class".
        shift: of the grid (:mod:`ganvas.codec.probabilities`).

    Attributes:
        met: bool [NUM_SHIFTS]: shifts at which a logit so far lay on an edge.
    """

    def __init__(self, prior: Prior, batch: int, label: Integers | None = None, shift: int = 0) -> None:
        self._prior, self._shift = prior, shift
        self._sizes = prior.layout.element_sizes().tolist()
        first = next(iter(prior.parameters()), None) if isinstance(prior, nn.Module) else None
        self._device = torch.device("cpu") if first is None else first.device
        own = None if label is None else torch.from_numpy(label).to(self._device)
        with torch.no_grad():
            self._state = prior.begin(batch, own)
        self.met = np.zeros(NUM_SHIFTS, dtype=np.bool_)

    def spans(self, element: int, batch: int) -> Iterable[Integers]:
        """All samples at once."""
        yield np.arange(batch)

    def weights(self, element: int, span: Integers, known: Integers) -> Floats:
        """Whole numbers [batch, size] of the next element; elements must be asked in their order."""
        previous = None if element == 0 else torch.from_numpy(known[:, element - 1]).to(self._device)
        with torch.no_grad():
            logits = self._prior.following(self._state, previous)
        if logits.shape[0] != len(span):
            raise ValueError(f"a prior gave logits {tuple(logits.shape)} for {len(span)} samples")
        rows = logits.double().cpu().numpy()
        self.met |= edges(rows, self._sizes[element])
        return integer_weights(rows, self._sizes[element], self._shift)

    def learn(self, element: int, span: Integers, known: Integers) -> None:
        """A prior is told by the next call."""

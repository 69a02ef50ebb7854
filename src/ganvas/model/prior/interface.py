"""What a recipe asks of a prior over codes, and what it gets back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.contracts import put_contracts
from ganvas.functional.precision import WIDE
from ganvas.model.layers.basic import require_classes, require_positive
from ganvas.model.prior.checked import looks, of_codes, resolve_label

MOST_CODES = 65_536  # of a level


@dataclass
class Writing:
    """Sequences that are being written, one code after another.

    Attributes:
        batch: B, how many of them.
        place: index of the element that comes next.
        cache: what the prior keeps of the elements before it.
    """

    batch: int
    place: int
    cache: Any


class Prior(nn.Module, ABC):
    """A distribution over the codes of a sample as one sequence, element by element.

    What a subclass writes as ``forward`` gets int64 codes of the right shape and range, and labels int64 [B],
    or None where there are no classes; its logits become float32 at least (float64 stays), and those of codes
    that a level lacks -inf. The checks that the docstrings below promise stand around it here, once for all.

    A prior with a cache writes ``start`` and ``advance`` too; without, each element takes a forward pass.

    Attributes:
        layout: what the codes are.
        num_classes: None: there are no labels. Label ``num_classes`` stands for "no class".
        causal: the logits of an element depend on those before it alone. A prior that is not so sees all
            elements, and takes the code ``layout.vocabulary`` as a mask in place of any of them.

    Args:
        layout: at most 65,536 codes a level.
        num_classes: of labels; None: unconditional.

    Raises:
        OptionError: more codes than that, or fewer than 2 classes.
    """

    causal: bool = True
    element_sizes: Tensor
    element_levels: Tensor
    lacking: Tensor

    def __init__(self, layout: CodeLayout, num_classes: int | None = None) -> None:
        super().__init__()
        require_classes(num_classes)
        require(
            layout.vocabulary <= MOST_CODES,
            "layout.vocabulary",
            layout.vocabulary,
            f"a prior's tables hold at most {MOST_CODES:,} codes a level; train a tokenizer of fewer codes "
            "and more levels, e.g. model/quantizer=residual or grouped",
        )
        self.layout, self.num_classes = layout, num_classes
        self._home = torch.get_default_device()
        with torch.device("cpu"):  # for the host reads what the layout says
            sizes = torch.tensor([size for own in layout.sizes for size in own])
            lacking = torch.arange(layout.vocabulary) >= sizes[:, None]  # bool [levels, V]
            self.has_lacking = bool(lacking.any())
            self.add_table("element_sizes", layout.element_sizes())
            self.add_table("element_levels", layout.element_levels())
            self.add_table("lacking", lacking)
            self.level_of: tuple[int, ...] = tuple(layout.element_levels().tolist())  # for the host
            self.size_of: tuple[int, ...] = tuple(layout.element_sizes().tolist())

    def add_table(self, name: str, values: Tensor) -> None:
        """A buffer that the layout determines and no checkpoint holds, where parameters are made."""
        self.register_buffer(name, values.to(self._home), persistent=False)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, forward=of_codes)

    @abstractmethod
    def forward(self, codes: Tensor, label: Tensor | None = None) -> Tensor:
        """Logits [B, N, V] of each element, given those before it and the label.

        Args:
            codes: int64 [B, N], each in [0, size of its level); where not causal also V, the mask.
            label: int64 [B] in [0, num_classes]; ``num_classes`` is "no class", and so is None.

        Returns:
            float32, or float64 of a prior in that type; -inf at codes that an element's level lacks.

        Raises:
            ValueError: codes or labels of another type or shape, or, on a CPU, out of range; a label where
                there are no classes.
        """

    def begin(self, batch: int, label: Tensor | None = None) -> Writing:
        """The state of ``batch`` sequences of which no element is there yet, for :meth:`following`.

        Raises:
            OptionError: the prior is not causal, so that it has no next element.
            ValueError: labels as in ``forward``; a batch below 1.
        """
        rule = "a prior that sees all elements has no next one; set causal=true"
        require(self.causal, "causal", self.causal, rule)
        require_positive("batch", batch)
        with torch.no_grad():
            known = resolve_label(self, label, batch, self.lacking.device)
            return Writing(batch, 0, self.start(batch, known))

    def following(self, state: Writing, previous: Tensor | None = None) -> Tensor:
        """Logits [B, V] of the next element, those that ``forward`` has at its place; no gradient.

        Args:
            state: of ``begin``; it moves on by one element, in place.
            previous: int64 [B], the element before; None before the first one alone.

        Raises:
            ValueError: a previous element of another type or shape, or, on a CPU, out of range; one where
                there is none; all elements are there already.
        """
        place = state.place
        if place >= self.layout.length:
            raise ValueError(f"all {place} elements are there: no further one follows")
        if (previous is None) != (place == 0):
            raise ValueError(f"previous must be {'None' if place == 0 else 'given'} at element {place}")
        if previous is not None:
            if previous.dtype != torch.int64 or previous.shape != (state.batch,):
                found = f"previous is {previous.dtype} of shape {list(previous.shape)}"
                raise ValueError(f"{found}: must be int64 [{state.batch}]")
            size = self.size_of[place - 1]
            if looks(previous) and (previous.amin() < 0 or previous.amax() >= size):
                wrong = previous[(previous < 0) | (previous >= size)]
                raise ValueError(f"previous holds {int(wrong[0])}: each must be in [0, {size})")
        with torch.no_grad():
            logits = self.advance(state.cache, place, previous)
        state.place = place + 1
        logits = logits if logits.dtype in WIDE else logits.float()
        if self.has_lacking:
            logits = logits.masked_fill(self.lacking[self.level_of[place]], -torch.inf)
        return logits

    def start(self, batch: int, label: Tensor | None) -> Any:
        """What :meth:`advance` shall have at hand; the label as in what a subclass writes as ``forward``."""
        codes = torch.zeros(batch, self.layout.length, dtype=torch.int64, device=self.lacking.device)
        return codes, label

    def advance(self, cache: Any, place: int, previous: Tensor | None) -> Tensor:
        """Logits [B, V] of element ``place``, given the one before it; the cache takes it up in place."""
        codes, label = cache
        if previous is not None:
            codes[:, place - 1] = previous
        return self(codes, label)[:, place]

"""A transformer over the codes of a sample: one after another, or masked ones among all.

Blocks that normalize first and their initialization: Radford 2019, "Language models are unsupervised
multitask learners", section 2.3; codes of an image in sequence: Esser 2021, arXiv:2012.09841; masked: Chang
2022, arXiv:2202.04200.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad

from ganvas.errors import require
from ganvas.functional.code_layout import CodeLayout
from ganvas.model.layers.basic import require_positive
from ganvas.model.layers.rotary import RotaryBlock, Seen, turns
from ganvas.model.prior.interface import Prior


@dataclass
class _Cache:
    first: Tensor  # [B, 1, width], the class
    targets: Tensor  # [N, width]
    seen: list[Seen]  # of each block


class TransformerPrior(Prior):
    """A class, then the codes; where it is causal, the vector of element i - 1 becomes the logits of i.

    A vector is the sum of that of the code, of a table of its own for each level, and of those of the target:
    its level and its position. Queries are turned by the place of the element that is predicted, keys by that
    of the element whose code they hold, so that attention sees by how far the one lies from the other.

    Args:
        layout: what the codes are.
        num_classes: of labels; None: unconditional.
        width: length of a vector.
        depth: blocks.
        heads: of each attention.
        mlp_ratio: hidden units of a block's MLP are so many times the width.
        dropout: in training, the probability with which a number of an input vector, and of what a branch
            adds to it, is set to 0; from torch's stream.
        causal: false: it sees all elements, of which code ``layout.vocabulary`` is a mask.

    Raises:
        OptionError: a size below 1, a dropout outside [0, 1), heads that do not divide the width into
            multiples of 4, or what :class:`Prior` refuses.
    """

    offsets: Tensor
    positions: Tensor
    cos: Tensor
    sin: Tensor
    by_level: Tensor
    by_place: Tensor

    def __init__(
        self,
        layout: CodeLayout,
        num_classes: int | None = None,
        width: int = 256,
        depth: int = 6,
        heads: int = 8,
        mlp_ratio: int = 4,
        dropout: float = 0.0,
        causal: bool = True,
    ) -> None:
        super().__init__(layout, num_classes)
        for option, value in {"width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}.items():
            require_positive(option, value)
        rule = f"must divide the width, {width}, into multiples of 4: two for rows, two for columns"
        require(width % (4 * heads) == 0, "heads", heads, rule)
        require(0 <= dropout < 1, "dropout", dropout, "must be in [0, 1), a probability; 0.1 is usual")
        self.causal, self.dropout = causal, dropout
        sizes = [size for own in layout.sizes for size in own]  # of each level
        self.codes = nn.Embedding(sum(sizes) + (not causal), width)
        self.classes = nn.Embedding((num_classes or 0) + 1, width)
        self.levels = nn.Embedding(len(sizes), width)
        self.places = nn.Embedding(sum(math.prod(at) for at in layout.positions), width)
        self.blocks = nn.ModuleList(
            RotaryBlock(width, heads, mlp_ratio, causal, dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.to_logits = nn.ModuleList(nn.Linear(width, size) for size in sizes)
        with torch.device("cpu"):
            self._add_tables(layout, sizes, width // heads)
        self._initialize()

    def _add_tables(self, layout: CodeLayout, sizes: list[int], head_size: int) -> None:
        levels = layout.element_levels()
        starts = torch.tensor([0, *itertools.accumulate(sizes)])
        self.add_table("offsets", starts[levels])  # int64 [N]: where a level's codes begin
        repeats = [len(own) for own, at in zip(layout.sizes, layout.positions) for _ in range(math.prod(at))]
        self.add_table("positions", torch.arange(len(repeats)).repeat_interleave(torch.tensor(repeats)))
        by_level = levels.argsort(stable=True)
        self.add_table("by_level", by_level)  # elements, level by level
        self.add_table("by_place", by_level.argsort())
        self.counts: list[int] = levels.bincount(minlength=len(sizes)).tolist()
        angles = turns(layout.coordinates(), head_size)  # [N, head_size / 2]
        first = torch.zeros_like(angles[:1])  # the class has no place
        keys = torch.cat([first, angles])  # [1 + N, head_size / 2]
        pair = torch.stack([angles, keys[:-1]] if self.causal else [keys, keys])
        self.add_table("cos", pair.cos()[:, None])  # of queries and of keys [2, 1, N, head_size / 2]
        self.add_table("sin", pair.sin()[:, None])

    @torch.no_grad()
    def _initialize(self) -> None:
        """All from N(0, 0.02^2), what ends a branch divided by the root of their number; biases zero."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                ends = name.endswith(("narrow", "attention.out"))
                deviation = 0.02 / math.sqrt(2 * len(self.blocks)) if ends else 0.02
                nn.init.normal_(module.weight, std=deviation)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, codes: Tensor, label: Tensor | None = None) -> Tensor:
        """Logits [B, N, V] of codes [B, N]; see :class:`Prior`."""
        rows = codes + self.offsets
        if not self.causal:
            rows = torch.where(codes == self.layout.vocabulary, self.codes.num_embeddings - 1, rows)
        vectors = self.codes(rows)  # [B, N, width]
        first = self._first(label, codes.shape[0])
        if self.causal:
            x = torch.cat([first, vectors[:, :-1]], dim=1) + self._targets()
        else:
            x = torch.cat([first, vectors + self._targets()], dim=1)  # [B, 1 + N, width]
        x = self._dropped(x)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        x = self.norm(x if self.causal else x[:, 1:])
        if len(self.to_logits) == 1:
            return self.to_logits[0](x)
        parts = x[:, self.by_level].split(self.counts, 1)
        made = [self._of_level(level, part) for level, part in enumerate(parts)]
        return torch.cat(made, dim=1)[:, self.by_place]

    def start(self, batch: int, label: Tensor | None) -> _Cache:
        """Room for the keys and values of each block, which the first element lays out."""
        return _Cache(
            self._first(label, batch), self._targets(), [Seen(self.layout.length) for _ in self.blocks]
        )

    def advance(self, cache: _Cache, place: int, previous: Tensor | None) -> Tensor:
        """Logits [B, V] of element ``place``, by the keys and values of those before it."""
        x = cache.first if previous is None else self.codes(previous + self.offsets[place - 1])[:, None]
        x = self._dropped(x + cache.targets[place])  # [B, 1, width]
        at = slice(place, place + 1)
        cos, sin = self.cos[:, :, at], self.sin[:, :, at]
        for block, seen in zip(self.blocks, cache.seen, strict=True):
            x = block(x, cos, sin, seen, place)
        return self._of_level(self.level_of[place], self.norm(x[:, 0]))

    def _first(self, label: Tensor | None, batch: int) -> Tensor:
        """The class's vector [B, 1, width]; the same one for all where there are none."""
        if label is None:
            return self.classes.weight.expand(batch, 1, -1)
        return self.classes(label)[:, None]

    def _targets(self) -> Tensor:
        """[N, width]: what is predicted, by its level and its position."""
        return self.levels(self.element_levels) + self.places(self.positions)

    def _of_level(self, level: int, x: Tensor) -> Tensor:
        """[..., width] to logits [..., V]; zeros at codes that the level lacks, later -inf."""
        logits: Tensor = self.to_logits[level](x)
        lacks = self.layout.vocabulary - logits.shape[-1]
        return pad(logits, (0, lacks)) if lacks else logits

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training) if self.dropout else x

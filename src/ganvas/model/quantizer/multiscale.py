"""Multi-scale residual quantization of maps (Tian 2024, arXiv:2404.02905, section 3.2, algorithms 1 and 2).

Symbols: f the latents, a map of S x S vectors of D dimensions; f_k what the first k scales say of it; e the
codes; b the inner quantizer's ``commitment_cost``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import OptionError, is_whole, require, require_whole
from ganvas.functional.code_usage import of_all_levels
from ganvas.functional.codes import grid_of, rows_of, straight_through
from ganvas.functional.precision import at_least_float32
from ganvas.model.quantizer.codebook import CodebookQuantizer
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput
from ganvas.model.quantizer.nested import check_length, inner_quantizer, refuse_untaken
from ganvas.model.quantizer.vectorwise import VectorwiseQuantizer, weight_of_none


class MultiscaleQuantizer(Quantizer):
    """A map is a sum of maps of codes, from coarse to fine, all from one codebook.

        f_0 = 0,   e_k = codes of (f - f_{k-1} reduced to side s_k),  f_k = f_{k-1} + phi_k(e_k enlarged to S)
        loss = mean over k of  mse(f_k, sg f) + b mse(sg f_k, f)

    Reduced by the mean over areas, enlarged bicubically; phi(x) = (1 - r) x + r conv(x), a 3 x 3 convolution
    that makes up for what enlarging loses, one for each stretch of neighbouring scales. Straight-through from
    f_n to f. The first term of the loss is there where it moves something: codes or convolutions.

    Indices are int64 [B, 1, T], the scales' maps row by row one after another, T the sum of s_k^2. ``decode``
    of the first k scales' indices, or with ``levels=k``, gives f_k: the whole map, less sharp (``num_cuts``
    is the number of scales).

    Args:
        inner: makes the codebook, a quantizer with codes in a table.
        sides: s_1, s_2, ..., growing; the last is S. See :func:`ganvas.functional.sides.growing_sides`.
        convolutions: how many phi there are, at most one for each scale; 0: phi is the identity.
        convolution_share: r.
        embedding_dim: D, where it is known; it is the inner quantizer's.

    Raises:
        OptionError: sides that do not grow from 1 on, or are none, fewer than 0 convolutions, a share
            outside [0, 1], an inner quantizer without a codebook or with codes in another space (cosine), or
            options of it that nothing here reads: ``gradient``, ``entropy_cost``, ``orthogonal_cost``; of
            ``forward`` and ``encode``: latents that are no square map of side S.
    """

    def __init__(
        self,
        inner: Callable[[], VectorwiseQuantizer],
        sides: Sequence[int] = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
        convolutions: int = 4,
        convolution_share: float = 0.5,
        embedding_dim: int | None = None,
    ) -> None:
        super().__init__()
        shown = list(sides)
        grows = all(one < other for one, other in itertools.pairwise(shown))
        require(
            bool(shown) and all(map(is_whole, shown)) and shown[0] >= 1 and grows,
            "sides",
            shown,
            "must grow from 1 or more on; [1, 2, 3, 4, 5, 6, 7] is usual for maps of side 7",
        )
        require_whole("convolutions", convolutions, 0, "4 is usual")
        require(
            0 <= convolution_share <= 1,
            "convolution_share",
            convolution_share,
            "must be in [0, 1]; 0.5 is usual",
        )
        made = inner_quantizer(inner)
        if not isinstance(made, CodebookQuantizer):
            reason = "has no codebook, which all scales share; take vq or vq_ema"
            raise OptionError("inner", type(made).__name__, reason)
        flat = made.codebook.shape[1] == made.embedding_dim and made.takes_nearest
        reason = "compares and gives out codes in other spaces than its vectors'; take vq or vq_ema"
        require(flat, "inner", type(made).__name__, reason)
        reason = "would change nothing, for the maps have one loss and one straight-through gradient"
        refuse_untaken(
            made, reason, gradient=("straight_through",), entropy_cost=(0.0,), orthogonal_cost=(0.0,)
        )
        self.inner, self.sides, self.share = made, tuple(shown), convolution_share
        self.embedding_dim, self.codebook_sizes = made.embedding_dim, made.codebook_sizes
        check_length(embedding_dim, made.embedding_dim, "the inner quantizer's")
        self.convolutions = nn.ModuleList(
            nn.Conv2d(made.embedding_dim, made.embedding_dim, 3, padding=1)
            for _ in range(min(convolutions, len(shown)))
        )
        self._moves = bool(convolutions) or isinstance(made.codebook, nn.Parameter)
        self.losses = ("codebook_loss", "commitment_loss") if self._moves else ("commitment_loss",)

    @property
    def num_cuts(self) -> int:
        return len(self.sides)

    def cut(self, indices: Tensor, levels: int) -> Tensor:
        return indices[:, :, : sum(side**2 for side in self.sides[:levels])]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes codes and convolutions, or lets them move again."""
        self.convolutions.requires_grad_(requires_grad)
        self.inner.requires_grad_(requires_grad)
        return self

    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        if mask is not None:
            raise ValueError("a mask: codes stand for areas of the whole map here; take another quantizer")
        self._check(z)
        fixed, batch = z.detach(), z.shape[0]
        weight = weight_of_none(z) if batch == 0 else None  # of samples, and of their rows
        if weight is None:
            self.inner.prepare(rows_of_scales([self._reduced(fixed, side) for side in self.sides]))
        said, left_over, indices, learning, commitment = torch.zeros_like(z), [], [], [], []
        for scale, side in enumerate(self.sides):
            left_over.append(self._reduced(fixed - said.detach(), side))
            indices.append(self.inner.search(rows_of(left_over[-1])).view(batch, side**2))
            said = said + self._enlarged(indices[-1], scale).to(z.dtype)
            learning.append(self.inner.mean((said - fixed).square(), weight))
            commitment.append(self.inner.mean((said.detach() - z).square(), weight))
        found = torch.cat(indices, dim=1)  # [B, T]
        usage = self._learn(rows_of_scales(left_over), found, weight)
        terms = {"codebook_loss": torch.stack(learning).mean()} if self._moves else {}
        terms["commitment_loss"] = torch.stack(commitment).mean()
        loss = self.inner.commitment_cost * terms["commitment_loss"] + terms.get("codebook_loss", 0)
        metrics = {name: term.detach() for name, term in terms.items()} | usage
        quantized = straight_through(quantized=said, latent=z)
        return QuantizerOutput(quantized, found[:, None], loss, metrics)

    def encode(self, z: Tensor) -> Tensor:
        self._check(z)
        said, indices = torch.zeros_like(z), []
        for scale, side in enumerate(self.sides):
            rows = rows_of(self._reduced(z - said, side))
            indices.append(self.inner.search(rows).view(z.shape[0], side**2))
            said = said + self._enlarged(indices[-1], scale).to(z.dtype)
        return torch.cat(indices, dim=1)[:, None]

    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:  # the contract cuts the indices
        tokens = [side**2 for side in self.sides]
        ends = list(itertools.accumulate(tokens))
        if indices.ndim != 3 or indices.shape[2] not in ends:
            shape = list(indices.shape)
            raise ValueError(
                f"indices of shape {shape}: must be [B, 1, T], T one of {ends}, by number of scales"
            )
        whole = tokens[: ends.index(indices.shape[2]) + 1]
        said: Tensor | None = None
        for scale, own in enumerate(indices[:, 0].split(whole, dim=1)):
            term = self._enlarged(own, scale)
            said = term if said is None else said + term
        assert said is not None  # there is a scale
        return said.to(self.inner.codebook.dtype)

    @torch.no_grad()
    def _learn(self, rows: Tensor, indices: Tensor, weight: Tensor | None) -> dict[str, Tensor]:
        """Moves the codes in training, by the rows of all scales together; the usage of indices [B, T]."""
        if self.training and not self.inner.is_frozen:
            return of_all_levels(self.inner.quantize_batch(rows, weight, indices.shape[0]).usage)
        return of_all_levels(self.inner.usage_of(indices.view(-1, 1), weight))

    def _check(self, z: Tensor) -> None:
        side = self.sides[-1]
        if z.ndim != 4 or z.shape[2] != side or z.shape[3] != side:
            reason = f"latents of shape {list(z.shape)} are no square maps of the last side, {side}"
            raise OptionError("sides", list(self.sides), f"{reason}; end with the side of the encoder's maps")

    def _reduced(self, x: Tensor, side: int) -> Tensor:
        """[B, D, S, S] to [B, D, side, side]."""
        return x if side == self.sides[-1] else F.interpolate(x, size=(side, side), mode="area")

    def _enlarged(self, indices: Tensor, scale: int) -> Tensor:
        """phi of a scale's codes, indices [B, side^2], at least float32 [B, D, S, S]."""
        side, full = self.sides[scale], self.sides[-1]
        codes = at_least_float32(self.inner.look_up(indices.flatten()[:, None]))
        x = grid_of(codes, (indices.shape[0], side, side))
        if side != full:
            x = F.interpolate(x, size=(full, full), mode="bicubic")
        if not len(self.convolutions) or self.share == 0:
            return x
        own = self.convolutions[scale * len(self.convolutions) // len(self.sides)]
        weight, bias = (at_least_float32(one).to(x.dtype) for one in own.parameters())
        with torch.autocast(x.device.type, enabled=False):  # encode and decode must say the same
            return x.lerp(F.conv2d(x, weight, bias, padding=1), self.share)


def rows_of_scales(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, D, side, side] to rows [B * T, D]: a sample's scales, then the next one's."""
    return torch.cat([one.flatten(2) for one in maps], dim=2).movedim(1, -1).flatten(0, 1)

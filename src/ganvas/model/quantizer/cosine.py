"""Codes of length 1 in a space of few dimensions (Yu 2021, arXiv:2110.04627, section 3.2: ViT-VQGAN).

Symbols: N vectors z of D dimensions, K codes e of d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import is_whole, require, require_whole
from ganvas.functional.precision import at_least_float32
from ganvas.model.quantizer.vq import VectorQuantizer

_SHORTEST = 1e-6  # of a vector that is made one of length 1; a shorter one stays shorter than 1


class CosineQuantizer(VectorQuantizer):
    """A vector is projected to d dimensions and takes the code at the smallest angle; that is projected back.

        u = P z / |P z|,   k = argmax u . ehat_k,   ehat = e / |e|,   quantized = Q ehat_k

    Losses and gradient estimator are those of ``vq``, of u and ehat, both of length 1. The codes move by
    their gradient, as in the paper. P and Q are affine and learn with the codes.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        code_dim: d, the length of a code; None: D, and nothing is projected.
        commitment_cost, restart_after, gradient, start, orthogonal_cost, entropy_cost, entropy_temperature,
            entropy_diversity: see :class:`ganvas.model.quantizer.vq.VectorQuantizer`; of u and ehat.

    Raises:
        OptionError: as ``vq``; a ``code_dim`` below 2, of which length 1 leaves two codes.
    """

    takes_nearest = False  # but the nearest in angle, of what is projected

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        code_dim: int | None = 8,
        commitment_cost: float | None = None,
        restart_after: float = 50.0,
        gradient: str = "straight_through",
        start: str = "batch",
        orthogonal_cost: float = 0.0,
        entropy_cost: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_diversity: float = 1.0,
    ) -> None:
        require_whole("embedding_dim", embedding_dim, 1, "64 is usual")
        length = embedding_dim if code_dim is None else code_dim
        require(
            is_whole(length) and length >= 2,
            "code_dim",
            length,
            "must be at least 2 and whole, for length 1 leaves a number its sign",
        )
        super().__init__(
            num_embeddings,
            length,
            commitment_cost,
            restart_after,
            gradient,
            start,
            orthogonal_cost,
            entropy_cost,
            entropy_temperature,
            entropy_diversity,
        )
        self.embedding_dim, self.code_dim = embedding_dim, length
        self.project_in = None if code_dim is None else nn.Linear(embedding_dim, code_dim)
        self.project_out = None if code_dim is None else nn.Linear(code_dim, embedding_dim)
        # without it all codes have length 1, also those for what is left over
        self.takes_residuals = self.learns_from_quantized = code_dim is not None

    def inward(self, rows: Tensor) -> Tensor:
        return F.normalize(affine(self.project_in, rows), dim=1, eps=_SHORTEST)

    def outward(self, codes: Tensor) -> Tensor:
        return affine(self.project_out, codes)

    def table(self) -> Tensor:
        # a copy: what it keeps for the gradient must not be what a restart sets
        return F.normalize(at_least_float32(self.codebook.clone()), dim=1, eps=_SHORTEST)

    def look_up(self, indices: Tensor) -> Tensor:
        return super().look_up(indices).to(self.codebook.dtype)


def affine(layer: nn.Linear | None, rows: Tensor) -> Tensor:
    """The layer's outputs, in the rows' type whatever the autocast and the layer's own; rows without one."""
    if layer is None:
        return rows
    with torch.autocast(rows.device.type, enabled=False):
        bias = None if layer.bias is None else layer.bias.to(rows.dtype)
        return F.linear(rows, layer.weight.to(rows.dtype), bias)

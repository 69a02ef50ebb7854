"""Gradients through the choice of a code, beside the plain straight-through of ``functional/codes.py``.

Symbols: N latents z of D dimensions and their codes c, all of the same type.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.functional.codes import straight_through
from ganvas.functional.distributed import rank
from ganvas.functional.keyed_random import keyed_normal
from ganvas.functional.random import hash_index

_SHORT = 1e-6  # latents shorter than this share of their code have no direction that a rotation could keep
DIVEQ_VARIANCE = 0.005  # of the noise, in the latents' unit squared


def rotation_trick(*, quantized: Tensor, latent: Tensor) -> Tensor:
    """``quantized`` exactly, with the gradient |c|/|z| R' g (Fifty 2024, arXiv:2410.06424).

    R is the rotation that turns z into the direction of its code within their plane, a constant. It is
    computed as two reflections, I - 2 chat chat' after I - 2 r r' with r = (zhat + chat)/|zhat + chat|, which
    is the paper's I - 2 r r' + 2 chat zhat', and stays orthogonal where the two are nearly opposite. Where
    they are so within rounding's square root, R is the reflection at chat alone. A latent of zeros, which has
    no direction, has the straight-through gradient; so has one shorter than a millionth of its code, whose
    gradient would be as many times larger.

    Args:
        quantized: c [N, D].
        latent: z [N, D].
    """
    code, fixed = quantized.detach(), latent.detach()
    lengths = torch.linalg.vector_norm(code, dim=1, keepdim=True)  # [N, 1]
    own = torch.linalg.vector_norm(fixed, dim=1, keepdim=True)
    towards = F.normalize(code, dim=1)
    between = F.normalize(fixed, dim=1) + towards
    length = torch.linalg.vector_norm(between, dim=1, keepdim=True)
    is_opposite = length < torch.finfo(length.dtype).eps ** 0.5  # what is left of the sum is rounding
    middle = (between / length).masked_fill(is_opposite, 0)
    turned = _reflected(_reflected(latent, middle), towards)
    has_direction = own > _SHORT * lengths
    scale = lengths / own.where(has_direction, torch.ones_like(own))
    return straight_through(quantized=code, latent=torch.where(has_direction, scale * turned, latent))


def _reflected(rows: Tensor, at: Tensor) -> Tensor:
    """(I - 2 u u') x for rows x and unit vectors u, both [N, D]."""
    return rows - 2 * at * (rows * at).sum(1, keepdim=True)


def diveq(*, code: Tensor, latent: Tensor, noise: Tensor | None = None) -> Tensor:
    """z + |c - z| sg(v/|v|), v = c - z + noise (Vali 2025, arXiv:2509.26469): gradient to both.

    It is as far from z as the code is. Without noise it is the code, with dq/dz = I - d d' and dq/dc = d d',
    d = (c - z)/|c - z|; a latent that lies on its code has the straight-through gradient.

    Args:
        code: c [N, D], with their graph.
        latent: z [N, D].
        noise: [N, D].
    """
    apart = code - latent
    towards = apart.detach() if noise is None else apart.detach() + noise
    # squares of large numbers are infinite; lengths and directions are of what is divided first
    largest = _largest(apart.detach())
    share = torch.linalg.vector_norm(apart / largest, dim=1, keepdim=True)  # [N, 1]; its gradient at 0 is 0
    moved = latent + largest * (share * F.normalize(towards / _largest(towards), dim=1))
    # without noise exactly the code, as every other quantizer gives it
    return straight_through(quantized=code, latent=moved) if noise is None else moved


def _largest(rows: Tensor) -> Tensor:
    """The largest size of an entry of rows [N, D], [N, 1], and never 0."""
    return rows.abs().amax(1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)


def diveq_noise(batch: Tensor, like: Tensor) -> Tensor:
    """Noise of :func:`diveq`, N(0, 0.005) of the shape and type of ``like`` [N, D].

    A function of ``batch``, an int64 scalar that counts, and of the row's number in the global batch, so that
    it is the same on one process and many, and after a resume.
    """
    number = torch.arange(len(like), device=like.device) + rank() * len(like)
    keys = hash_index(number ^ hash_index(batch, "diveq batch"), "diveq row")
    deviation = math.sqrt(DIVEQ_VARIANCE)
    return (keyed_normal(keys, "diveq", like.shape[1]) * deviation).to(like.dtype)

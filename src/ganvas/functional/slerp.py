"""Spherical interpolation of latent vectors (White 2016, arXiv:1609.04468, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.precision import widened

_PARALLEL = 1e-6  # sine of the angle below which two directions span no plane


def slerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """From ``start`` to ``end`` along the arc between them: turned at constant speed, with linear length.

    High-dimensional normal latents lie close to a sphere; a straight line between two of them passes far
    inside, where no generator was trained. Shoemake's formula (1985) is applied to the directions alone, so
    that the angle grows with t whatever the lengths; the length goes linearly from one to the other.
    Opposite vectors and null vectors have no arc between them: there, and for parallel ones, it is the
    straight line. Computed in float64.

    Args:
        start: [..., D], any float type.
        end: likewise; the leading shapes broadcast.
        t: [...], 0 at the start and 1 at the end, where the vectors come back bit for bit.

    Returns:
        [..., D] in the type of ``start``.
    """
    a, b = widened(start), widened(end)
    t = t.to(a.dtype).to(a.device)[..., None]
    length_a, length_b = (x.norm(dim=-1, keepdim=True) for x in (a, b))
    smallest = torch.finfo(a.dtype).tiny
    u, v = a / length_a.clamp(min=smallest), b / length_b.clamp(min=smallest)
    # Kahan's angle: exact also where an arc cosine is flat
    angle = 2 * torch.atan2((u - v).norm(dim=-1, keepdim=True), (u + v).norm(dim=-1, keepdim=True))
    sine = angle.sin()
    direction = (((1 - t) * angle).sin() * u + (t * angle).sin() * v) / sine.clamp(min=_PARALLEL)
    arc = ((1 - t) * length_a + t * length_b) * direction
    line = (1 - t) * a + t * b
    bent = (sine > _PARALLEL) & (length_a > 0) & (length_b > 0)
    between = torch.where(bent, arc, line)
    return torch.where(t == 0, a, torch.where(t == 1, b, between)).to(start.dtype)


def closed_walk(stops: Tensor, frames: int) -> Tensor:
    """A round trip through all stops: frame f is f / frames of the way round, so the last meets the first.

    Args:
        stops: [S, N, D], S stops of N walkers.
        frames: how many; where it is a multiple of S, every stop is a frame, the first is frame 0 always.

    Returns:
        [frames, N, D].
    """
    place = torch.arange(frames) * len(stops)
    leg, part = place // frames, (place % frames).double() / frames
    return slerp(stops[leg], stops[(leg + 1) % len(stops)], part[:, None])

"""Differentiable augmentation (Zhao 2020, arXiv:2006.10738, section 3.3; constants of the official code)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.random import Draws
from ganvas.model.augment.interface import Augment, require_images

_SHIFT = 1 / 8  # largest shift, share of the side
_CUTOUT = 1 / 2  # side of the square that is cut out, share of the image's
_COLUMNS = 7  # uniform draws of a sample


class DiffAugment(Augment):
    """Every sample is changed, each by draws of its own, by the policies one after the other.

    * ``color``: brightness x + U(-1/2, 1/2); saturation, the distance from the mean of a pixel's channels
      times U(0, 2); contrast, the distance from the image's mean times U(1/2, 3/2).
    * ``translation``: by whole pixels, up to an eighth of the side, zeros (mid-grey) where nothing was.
    * ``cutout``: a square of half the side is set to zero; its centre is anywhere in the image.

    Args:
        policy: which, in the order in which they are applied; the paper's is that of the default.

    Raises:
        OptionError: a policy that is unknown or named twice, or none at all.
    """

    def __init__(self, policy: Sequence[str] = ("color", "translation", "cutout")) -> None:
        super().__init__()
        known = ", ".join(_POLICIES)
        rule = f"must name some of {known}, each once; model/augment=none switches it off"
        fits = len(policy) > 0 and len(set(policy)) == len(policy) and set(policy) <= _POLICIES.keys()
        require(fits, "policy", list(policy), rule)
        self.policy = tuple(policy)

    def forward(self, x: Tensor, draws: Draws, purpose: str) -> Tensor:
        u = draws.uniform(f"diffaugment/{purpose}", len(x), _COLUMNS).to(x.dtype)  # [B, 7]
        for name in self.policy:
            x = _POLICIES[name](x, u)
        return x

    def check(self, x: Tensor) -> None:
        require_images(self, x)


def _color(x: Tensor, u: Tensor) -> Tensor:
    brightness, saturation, contrast = u[:, :3, None, None, None].unbind(1)  # [B, 1, 1, 1] each
    x = x + (brightness - 0.5)
    mean = x.mean(dim=1, keepdim=True)  # [B, 1, H, W]
    x = mean + (x - mean) * (2 * saturation)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)  # [B, 1, 1, 1]
    return mean + (x - mean) * (contrast + 0.5)


def _translation(x: Tensor, u: Tensor) -> Tensor:
    for dim, share in ((2, u[:, 3]), (3, u[:, 4])):
        size = x.shape[dim]
        furthest = int(size * _SHIFT + 0.5)  # pixels
        shift = (share * (2 * furthest + 1)).floor().long() - furthest  # [B]
        source = torch.arange(size, device=x.device) - shift[:, None]  # [B, size]
        inside = (source >= 0) & (source < size)
        at = [len(x), 1, size, 1] if dim == 2 else [len(x), 1, 1, size]
        x = x.gather(dim, source.clamp(0, size - 1).view(at).expand_as(x)) * inside.view(at)
    return x


def _cutout(x: Tensor, u: Tensor) -> Tensor:
    cut = []
    for dim, share in ((2, u[:, 5]), (3, u[:, 6])):
        size = x.shape[dim]
        side = int(size * _CUTOUT + 0.5)  # pixels
        first = (share * (size + 1 - side % 2)).floor().long() - side // 2  # [B]; it may begin outside
        distance = torch.arange(size, device=x.device) - first[:, None]  # [B, size]
        cut.append((distance >= 0) & (distance < side))
    rows, columns = cut
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


_POLICIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}

"""Images of any size before networks that halve their sides: edges are repeated around them, and cut off."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad


def padded_side(size: int, multiple: int) -> int:
    """The smallest multiple of ``multiple`` that is at least ``size``."""
    return -(-size // multiple) * multiple


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Images [B, C, H, W] with sides that are multiples, their outermost pixels repeated outwards.

    Half of what is missing stands before the first row and column; an odd pixel more behind the last. The
    edge is repeated, not mirrored: a mirror has no more pixels than the image, and one of 3 may need 5 more.
    """
    height, width = x.shape[2:]
    rows, columns = padded_side(height, multiple) - height, padded_side(width, multiple) - width
    if rows == columns == 0:
        return x
    sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return pad(x, sides, mode="replicate")


def cut_to(x: Tensor, height: int, width: int) -> Tensor:
    """The middle of images [B, C, H', W'], [B, C, height, width]: what :func:`pad_to_multiple` has put around
    them is cut off."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def pad_length(x: Tensor, multiple: int) -> Tensor:
    """Sounds [B, C, T] with a length that is a multiple; what is missing are zeros behind the last sample.

    None stand before the first one, so that latent i belongs to the samples from i * multiple on whatever T.
    """
    missing = padded_side(x.shape[2], multiple) - x.shape[2]
    return pad(x, (0, missing)) if missing else x

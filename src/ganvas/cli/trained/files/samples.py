"""Samples as files that grow: each format takes them in pieces, and holds no more than a bounded part."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.callback.drawing.scatter import require_points
from ganvas.cli.trained.files.arrays import ArrayFile
from ganvas.cli.trained.files.folder import SampleFolder, check_folder
from ganvas.cli.trained.files.grid import GridFile, check_grid
from ganvas.cli.trained.files.interface import SampleFile
from ganvas.cli.trained.files.options import Target, check_scalable


def check_samples(
    target: Target,
    shape: torch.Size,
    labels: Tensor | None,
    *,
    num: int,
    columns: int | None = None,
    scale: int | None = None,
) -> None:
    """Raises OptionError unless samples of a shape fit their target; nothing is written.

    Args:
        labels: classes int64 [num] of all samples, where they have some.
    """
    if target.is_folder:
        check_folder(target.path, target.ending, shape, labels, num=num, scale=scale)
        return
    check_scalable(scale, shape)
    if target.ending == ".npz":
        return
    if len(shape) == 3:
        check_grid(target.path, shape, num, columns=columns, scale=scale)
    else:
        require_points(torch.empty(1, *shape), "--out F.npz writes any samples")


def open_samples(
    target: Target, num: int, *, columns: int | None = None, scale: int | None = None
) -> SampleFile:
    """What takes ``num`` samples.

    Args:
        columns: images in a row of a grid; None: about the square root of ``num``.
        scale: whole factor that images are enlarged by; None: in a grid by
            :func:`ganvas.functional.images.visible_factor`, in a folder not at all.
    """
    if target.is_folder:
        return SampleFolder(target.path, num, ending=target.ending, scale=scale)
    if target.ending == ".npz":
        return ArrayFile(target.path, num)
    return GridFile(target.path, num, columns=columns, scale=scale)

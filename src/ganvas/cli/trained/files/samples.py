"""Samples as files that grow: each format takes them in pieces, and holds no more than a bounded part."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.cli.trained.files.arrays import ArrayFile
from ganvas.cli.trained.files.folder import SampleFolder, check_folder
from ganvas.cli.trained.files.grid import GridFile, check_grid
from ganvas.cli.trained.files.interface import SampleFile
from ganvas.cli.trained.files.listing import Listing
from ganvas.cli.trained.files.options import Target, check_scalable, check_sheet_of
from ganvas.modality.interface import SHEETS, Modality


def check_samples(
    target: Target,
    shape: torch.Size,
    labels: Tensor | None,
    modality: Modality,
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
        check_folder(target.path, target.ending, shape, labels, modality, num=num, scale=scale)
        return
    check_scalable(scale, modality, shape)
    if target.ending == ".npz" or (modality.together and target.ending in SHEETS):
        return
    check_sheet_of(modality, target.ending, target.path)
    if target.ending in SHEETS:
        picture = modality.pictures(modality.example(shape))[0]
        check_grid(target.path, picture.shape, num, columns=columns, scale=scale)


def open_samples(
    target: Target, num: int, modality: Modality, *, columns: int | None = None, scale: int | None = None
) -> SampleFile:
    """What takes ``num`` samples.

    Args:
        columns: images in a row of a grid; None: about the square root of ``num``.
        scale: whole factor that images are enlarged by; None: in a grid by
            :func:`ganvas.functional.images.visible_factor`, in a folder not at all.
    """
    if target.is_folder:
        return SampleFolder(target.path, num, modality, ending=target.ending, scale=scale)
    if target.ending == ".npz":
        return ArrayFile(target.path, num, modality)
    if target.ending not in SHEETS:
        return Listing(target.path, num, modality)
    return GridFile(target.path, num, modality, columns=columns, scale=scale)

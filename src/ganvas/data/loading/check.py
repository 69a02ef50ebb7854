"""What a data set's ``load`` gave, held against what :class:`ganvas.data.loading.stored.Stored` promises.

A module of the user's own hands out tensors that nobody has looked at; a NaN or a label out of range would
otherwise show up as a diverged loss, or as a crash inside a kernel.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError, require
from ganvas.functional.memory import in_words
from ganvas.modality.guess import modality_of_split
from ganvas.modality.interface import Modality

_SPLITS = ("train", "val", "test")
_ANY = "uint8 images [N, C, H, W] or float32 samples [N, ...]"
_ROUNDING = 1e-4  # by which a normalized sample may leave [-1, 1]


def require_positive(option: str, value: int | None, usual: str) -> None:
    """Raises OptionError for a declared number below 1."""
    require(value is None or value > 0, option, value, f"must be positive; {usual}")


def check_splits(
    splits: Any, *, kind: str, image_size: int | None, declared: Modality | None = None
) -> Modality:
    """Raises OptionError at the first thing that no recipe could train on.

    Args:
        splits: what ``load`` returned.
        kind: the module's class, dotted, as ``data._target_`` names it.
        image_size: declared side in pixels; None for points.
        declared: the modality that the module declares, if any.

    Returns:
        what the samples are: as declared, or as they are stored.
    """
    found = declared

    def held(condition: bool, reason: str) -> None:
        require(condition, "_target_", kind, reason)

    named = isinstance(splits, dict) and tuple(splits) == _SPLITS
    held(named, f"load() must return a dict of {', '.join(_SPLITS)}, in this order")
    shapes = set()
    for name, stored in splits.items():
        held(isinstance(stored, Stored), f"load() must return a ganvas.data.loading.stored.Stored for {name}")
        x, label = stored.x, stored.label
        is_split = isinstance(x, Tensor) and x.dim() >= 2
        own = declared or (modality_of_split(x) if is_split else None)
        held(own is not None, f"the {name} split must be {_ANY}")
        assert own is not None
        wrong = own.wrong_with(x)
        held(wrong is None, f"the {name} split {wrong}")
        found = found or own
        shapes.add(tuple(x.shape[1:2] if x.dtype is torch.uint8 and x.dim() == 4 else x.shape[1:]))
        if x.is_floating_point():
            _check_floats(x, name, kind, image_size)
        if label is not None:
            held(
                isinstance(label, Tensor) and label.dtype is torch.int64 and label.shape == x.shape[:1],
                f"the labels of {name} must be int64 [{len(x)}], one for each sample",
            )
    held(len(shapes) == 1, "its splits have samples of different shapes; give all the same")
    held(len(splits["train"]) > 0, "the train split is empty; give it at least batch_size samples")
    assert found is not None
    return found


def _check_floats(x: Tensor, name: str, kind: str, image_size: int | None) -> None:
    """Samples are finite, in [-1, 1], and of the experiment's size: to resize them would round to uint8."""
    if x.numel() == 0:
        return
    low, high = (float(value) for value in torch.aminmax(x))  # a NaN comes through
    if not abs(low) + abs(high) < float("inf"):
        bad = (~torch.isfinite(x)).flatten(1).any(1).nonzero().flatten()
        reason = f"{len(bad)} samples of the {name} split are not finite, the first is sample {int(bad[0])}"
        raise OptionError("_target_", kind, f"{reason}; mend or leave out what is NaN or infinite")
    inside = low >= -1 - _ROUNDING and high <= 1 + _ROUNDING
    reason = f"the {name} split reaches from {low:g} to {high:g}; scale float samples into [-1, 1]"
    require(inside, "_target_", kind, reason)
    fits = image_size is None or x.dim() != 4 or x.shape[-2:] == (image_size, image_size)
    require(
        fits,
        "image_size",
        image_size,
        f"the {name} split is float32 {list(x.shape[1:])}, and only "
        f"uint8 images are resized; image_size={x.shape[-1]}, or store uint8",
    )


def check_labels(splits: dict[str, Stored], *, declared: int | None, classes: int | None) -> None:
    """Raises OptionError at the first label that is negative, or beyond the number of classes.

    Args:
        splits: the data.
        declared: the number of classes that the config says, or None.
        classes: the number of classes that the data has.
    """
    limit = classes if declared is None else declared
    for name, stored in splits.items():
        if stored.label is None or limit is None:
            continue
        bad = ((stored.label < 0) | (stored.label >= limit)).nonzero().flatten()
        if len(bad):
            found = int(stored.label[bad[0]])
            rule = "begin at 0" if found < 0 else f"are 0 to {limit - 1}"
            other = f", or num_classes={classes}" if found >= limit else ""
            reason = f"sample {int(bad[0])} of the {name} split has the label {found}, labels {rule}"
            value = "null" if declared is None else declared
            raise OptionError("num_classes", value, f"{reason}; mend the labels{other}")


def check_channels(declared: int | None, train: Tensor) -> None:
    """Raises OptionError where the training samples [N, C, ...] have other channels than declared.

    Those of images are declared; of other samples they may be, null: not.
    """
    are_images = train.dim() == 4
    held = train.shape[1] if are_images or (train.dim() > 2 and declared is not None) else None
    what = "images" if are_images else "samples"
    rule = f"the {what} have {held}; channels={held}" if held else "the samples are no images; channels=null"
    require(declared == held, "channels", declared, rule)


def check_num_classes(declared: int | None, classes: int | None) -> None:
    """Raises OptionError where the data have another number of classes than declared; None: none."""
    there = f"the data has {classes} classes; num_classes={classes}"
    rule = there if classes else "the data has no labels; num_classes=null"
    require(declared in (None, classes), "num_classes", declared, rule)


def check_memory(images: Sequence[Tensor], image_size: int) -> None:
    """Raises OptionError where images [N, C, h, w], resized, would need more than the machine's memory."""
    resized = [x for x in images if x.shape[-2:] != (image_size, image_size)]
    needed = sum(len(x) * x.shape[1] * image_size**2 for x in resized)
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # a system that does not say
        return
    require(
        needed <= there,
        "image_size",
        image_size,
        f"needs {in_words(needed)} of memory for the "
        f"images, this machine has {in_words(there)}; choose a smaller size",
    )

"""What each kind of ``ganvas pictures`` shows of a prior."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.cli.arguments import check_split
from ganvas.cli.trained.files.options import check_scalable
from ganvas.cli.trained.options.labels import labels_asked_for
from ganvas.errors import OptionError, require
from ganvas.functional.code_places import half, share_known
from ganvas.functional.memory import require_memory
from ganvas.functional.next_code import Drawing
from ganvas.modality.image import Image, veil
from ganvas.model.interface import CompletesCodes, DrawsInSteps

_COMPLETIONS = 5


class Sheet(NamedTuple):
    """A sheet of images.

    Attributes:
        images: [rows, columns, C, H, W] in [-1, 1].
        samples: what an ``--out F.npz`` holds of samples, by name.
        others: and of other tensors.
        told: what rows and columns are.
    """

    images: Tensor
    samples: dict[str, Tensor]
    others: dict[str, Tensor]
    told: str


def of_temperatures(
    model: Any,
    data: Any,
    arguments: argparse.Namespace,
    drawing: Drawing | None,
    num: int,
    temperatures: Sequence[float],
) -> Sheet:
    """A row each temperature, of the same random numbers and classes."""
    _require_room(model, arguments, num * len(temperatures), num)
    label = _labels(model, data, arguments, num)
    rows = []
    for temperature in temperatures:
        own = dataclasses.replace(drawing or model.drawing, temperature=temperature)
        made = [
            model.sample(
                count, arguments.seed, start=start, label=_part(label, start, count), **_how(arguments, own)
            ).cpu()
            for start, count in _parts(num, arguments.batch_size)
        ]
        rows.append(torch.cat(made))
    images = torch.stack(rows)
    shown = ", ".join(f"{one:g}" for one in temperatures)
    told = f"rows: temperature {shown}; columns: {num} samples"
    others = {"temperatures": torch.tensor(temperatures)} | _named("labels", label)
    return Sheet(images, {"images": images}, others, told)


def of_order(
    model: Any, data: Any, arguments: argparse.Namespace, drawing: Drawing | None, num: int
) -> Sheet:
    """Two rows a sample, a column a step."""
    if not isinstance(model, DrawsInSteps):
        reason = (
            "is of a masked prior; this one draws codes in the order in which they lie; take another kind"
        )
        raise OptionError("--kind", "order", reason)
    layout = model.tokenizer.layout
    _require_room(model, arguments, 2 * num * min(layout.length, 64), num)
    label = _labels(model, data, arguments, num)
    height, width = model.tokenizer.sample_shape[1:]
    stays, guesses, codes = [], [], []
    for start, count in _parts(num, arguments.batch_size):
        steps = model.draw_in_steps(
            count, arguments.seed, start=start, label=_part(label, start, count), **_how(arguments, drawing)
        )
        made = [model.tokenizer.decode(step.guess).cpu() for step in steps]
        known = [(step.codes != layout.vocabulary).cpu() for step in steps]
        under = [veil(x, share_known(layout, one, height, width)) for x, one in zip(made, known, strict=True)]
        stays.append(torch.stack(under, 1))
        guesses.append(torch.stack(made, 1))
        codes.append(torch.stack([step.codes.cpu() for step in steps], 1))
    pair = torch.stack([torch.cat(stays), torch.cat(guesses)], 1)  # [num, 2, steps, C, H, W]
    whole = torch.cat(codes)
    left = [int((step == layout.vocabulary).sum(1).max()) for step in whole.unbind(1)]
    told = (
        f"columns: {whole.shape[1]} steps, after which {', '.join(map(str, left))} of {layout.length} codes "
        "are hidden; rows: what stays of a sample, and what all codes of the step decode to"
    )
    samples = {"images": pair[:, 0], "guesses": pair[:, 1]}
    return Sheet(pair.flatten(0, 1), samples, {"codes": whole} | _named("labels", label), told)


def complete(
    model: Any, data: Any, arguments: argparse.Namespace, drawing: Drawing | None, num: int
) -> Sheet:
    """A row an image: itself, what its codes decode to, what is given, completions."""
    if not isinstance(model, CompletesCodes):
        raise OptionError("--kind", "complete", "the run's recipe completes no codes; take another kind")
    tokenizer, split = model.tokenizer, arguments.split or "test"
    each, given = arguments.completions or _COMPLETIONS, arguments.given or "upper"
    there = check_split(data, split, num)
    require(num <= there, "--num", num, f"the {split} split holds {there}; ask for fewer")
    _require_room(model, arguments, num * (3 + each), num)
    try:
        known = half(tokenizer.layout, given)
    except ValueError as error:
        reason = f"its tokenizer's codes have no place in the image ({error}); take another run"
        raise OptionError("RUN", arguments.run, reason) from error
    require(bool(known.any()), "--given", given, "holds no whole code of this tokenizer; take another half")
    originals = torch.cat([batch.x for batch in data.batches(split, arguments.batch_size, num)])
    coded = list(data.codes(split, arguments.batch_size, num))
    codes = torch.cat([batch.x for batch in coded])
    of_images = [batch.label for batch in coded if batch.label is not None]
    label = torch.cat(of_images) if of_images and model.num_classes is not None else None
    asked = codes.repeat_interleave(each, 0)
    asked_label = None if label is None else label.repeat_interleave(each)
    found = []
    for start, count in _parts(len(asked), arguments.batch_size):
        part = asked[start : start + count].to(model.device)  # type: ignore[attr-defined]
        how = _how(arguments, drawing)
        try:
            made = model.complete(
                part, known, arguments.seed, start=start, label=_part(asked_label, start, count), **how
            )
        except OptionError as error:
            if error.option != "known":
                raise
            rule = (
                "an autoregressive prior completes what follows its first codes: the upper half of one grid"
            )
            raise OptionError("--given", given, f"{rule}; a prior of model=masked takes any") from error
        found.append(made.cpu())
    every = torch.cat(found)
    decoded = _decoded(model, torch.cat([codes, every]), arguments.batch_size)
    reconstructions, completions = decoded[:num], decoded[num:].unflatten(0, (num, each))
    height, width = tokenizer.sample_shape[1:]
    shown = share_known(tokenizer.layout, known[None], height, width)
    columns = [originals, reconstructions, veil(reconstructions, shown)]
    images = torch.cat([torch.stack(columns, 1), completions], 1)
    samples = {"images": completions, "originals": originals, "reconstructions": reconstructions}
    others = {"codes": every.unflatten(0, (num, each)), "known": known} | _named("labels", label)
    told = (
        f"rows: {num} {split} images; columns: the image, what its codes decode to, the {given} half that is "
        f"given ({int(known.sum())} of {len(known)} codes), {each} completions"
    )
    return Sheet(images, samples, others, told)


def _require_room(model: Any, arguments: argparse.Namespace, count: int, num: int) -> None:
    """Raises OptionError where so many images are too many for the memory, or for a sheet."""
    shape = model.tokenizer.sample_shape
    require_memory("--num", num, 16 * count * math.prod(shape), f"{count:,} images of {list(shape)}")
    check_scalable(arguments.scale, Image(), shape, count)


def _labels(model: Any, data: Any, arguments: argparse.Namespace, num: int) -> Tensor | None:
    asked = labels_asked_for(arguments.label, num, model, data)
    found: Tensor | None = model.sample_labels(num, arguments.seed) if asked is None else asked
    return found


def _how(arguments: argparse.Namespace, drawing: Drawing | None) -> dict[str, Any]:
    return {"ema": not arguments.raw, "drawing": drawing}


def _parts(num: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and count of each batch."""
    return [(start, min(batch_size, num - start)) for start in range(0, num, batch_size)]


def _part(label: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if label is None else label[start : start + count]


def _named(name: str, tensor: Tensor | None) -> dict[str, Tensor]:
    return {} if tensor is None else {name: tensor}


def _decoded(model: Any, codes: Tensor, batch_size: int) -> Tensor:
    parts = [model.tokenizer.decode(part.to(model.device)).cpu() for part in codes.split(batch_size)]
    return torch.cat(parts)

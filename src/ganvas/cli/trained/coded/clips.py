"""Sounds and texts of any length: cut into clips, each coded with what lies beside it in view."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganvas.cli.trained.coded.model import CodedModel
from ganvas.errors import OptionError
from ganvas.modality.interface import Modality

_MEASURED = 1 << 20  # samples of a clip that are measured at once


@dataclass
class CodedClips:
    """What a model makes of clips of any length.

    Attributes:
        codes: int64 [n, N], of all pieces as long as the tokenizer's samples.
        sizes: height, which is 1, and length of each clip.
        sums: of what codes decode to, by the modality's measures, each clip by its length.
    """

    codes: Tensor
    sizes: list[tuple[int, int]]
    sums: dict[str, float] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The measures, means over all samples."""
        total = sum(length for _, length in self.sizes)
        return {name: value / total for name, value in self.sums.items()}


def find_clips(words: Sequence[str], modality: Modality) -> list[Path]:
    """The files that are named, and those in folders that are, at any depth, sorted.

    Raises:
        OptionError: ``FILES``: one is not there, or a folder without such files.
    """
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            known = (*modality.endings, *modality.reads)
            inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in known)
            if not inside:
                kinds = ", ".join(known)
                raise OptionError("FILES", word, f"holds no {modality.plural} ({kinds}); name their folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise OptionError("FILES", word, f"is no file and no folder; name {modality.plural}")
    return found


def read_clips(paths: Sequence[Path], modality: Modality) -> Iterator[Tensor]:
    """Each as it is stored, [..., T].

    Raises:
        OptionError: ``FILES``: one that cannot be read, or holds nothing.
    """
    for path in paths:
        try:
            found = modality.read(path)
        except (OSError, ValueError) as error:
            reason = f"cannot be read as a {modality.name} ({error}); mend it, or leave it out"
            raise OptionError("FILES", path, reason) from error
        if not found.shape[-1]:
            raise OptionError("FILES", path, f"is an empty {modality.name}; leave it out")
        yield found


def clips_of(data: Any, split: str, num: int) -> Iterator[Tensor]:
    """The first of a split, whole ones, as they are stored."""
    for batch in data.wholes(split, 1, num):
        yield from data.modality.to_stored(batch.x)


def code_clips(
    model: CodedModel,
    clips: Iterable[Tensor],
    *,
    levels: int,
    batch_size: int,
    also: Callable[[Tensor, Tensor], None] | None = None,
) -> CodedClips:
    """Encodes clips, and measures what is decoded; in memory are one clip and a batch of pieces.

    Args:
        levels: of the codes, the first ones.
        batch_size: pieces at a time.
        also: takes each clip and what is decoded of it, both as they are stored.
    """
    sizes: list[tuple[int, int]] = []
    codes: list[Tensor] = []
    sums: dict[str, float] = {}
    measures = model.modality.measures(model.shape)
    for clip in clips:
        length = clip.shape[-1]
        sizes.append((1, length))
        codes.append(encode_clip(model, clip, levels=levels, batch_size=batch_size))
        made = decode_clip(model, codes[-1], length, batch_size=batch_size)
        if also is not None:
            also(clip, made)
        for start in range(0, length, _MEASURED):
            pair = [model.modality.to_model(x[None, ..., start : start + _MEASURED]) for x in (clip, made)]
            x, y = (side.double() if side.is_floating_point() else side for side in pair)
            for one in measures:
                sums[one.name] = sums.get(one.name, 0.0) + float(one.of(x, y)) * x.shape[-1]
    return CodedClips(torch.cat(codes), sizes, sums)


def encode_clip(model: CodedModel, clip: Tensor, *, levels: int, batch_size: int) -> Tensor:
    """A stored clip [..., T] to codes int64 [n, N] of its pieces; beyond its end is silence.

    Where the tokenizer takes any length, ``batch_size`` pieces are encoded as one, with ``model.context``
    samples more on each side, so that no seam is heard; else each by itself.
    """
    piece, beside = model.shape[-1], model.context
    count = math.ceil(clip.shape[-1] / piece)
    whole = pad(clip, (0, count * piece - clip.shape[-1]))
    layout, found = model.layouts[levels - 1], []
    for start in range(0, count, batch_size):
        end = min(start + batch_size, count)
        if not beside:
            part = whole[..., start * piece : end * piece].unflatten(-1, (-1, piece)).movedim(-2, 0)
            found.append(layout.flatten(model.maps_of(part.contiguous(), levels)).cpu())
            continue
        left, right = max(0, start * piece - beside), min(count * piece, end * piece + beside)
        (codes,) = model.maps_of(whole[None, ..., left:right].contiguous(), levels)  # [1, levels, places]
        places = codes.shape[2] * piece // (right - left)
        first = (start * piece - left) * places // piece
        own = codes[0, :, first : first + (end - start) * places].unflatten(1, (-1, places))
        found.append(layout.flatten(own.movedim(1, 0)).cpu())
    return torch.cat(found)


def decode_clip(model: CodedModel, codes: Tensor, length: int, *, batch_size: int) -> Tensor:
    """Codes int64 [n, N] of the pieces of one clip to the stored clip [..., length], on the CPU."""
    piece, beside = model.shape[-1], model.context
    found = []
    for start in range(0, len(codes), batch_size):
        end = min(start + batch_size, len(codes))
        if not beside:
            made = model.samples_of(model.unflatten(codes[start:end])).movedim(0, -2).flatten(-2)
        else:
            first, last = max(0, start - 1), min(len(codes), end + 1)
            (maps,) = model.unflatten(codes[first:last])  # [n, levels, places]
            places = maps.shape[2]
            more = places * beside // piece
            row = maps.movedim(0, 1).flatten(1)[None]  # [1, levels, n places]
            left = max(0, (start - first) * places - more)
            right = min(row.shape[2], (end - first) * places + more)
            made = model.samples_of((row[:, :, left:right].contiguous(),))[0]
            begin = ((start - first) * places - left) * piece // places
            made = made[..., begin : begin + (end - start) * piece]
        found.append(model.modality.to_stored(made).cpu())
    return torch.cat(found, -1)[..., :length]

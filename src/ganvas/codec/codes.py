"""Codes of images into the content of a file, and back."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.codec import coder as coding
from ganvas.codec import tiles
from ganvas.codec.container import (
    MODEL_BYTES,
    MOST_IMAGES,
    MOST_LENGTH,
    MOST_VALUES,
    Block,
    Coder,
    Container,
    Residual,
)
from ganvas.codec.counts import CountSource, UniformSource
from ganvas.codec.lossless import decode_residual, encode_residual, to_uint8
from ganvas.codec.prior import Prior, PriorSource, in_float64
from ganvas.functional.code_layout import CodeLayout

Integers = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
Reconstruct = Callable[[Tensor], Tensor]

IMAGES_UNDER_PRIOR = 1000  # of a block; its network holds the state of all
IMAGES_OF_RESIDUAL = 1 << 14
_MOST_WEIGHTS = 1 << 24  # of an element of a block, 8 bytes each
_RECONSTRUCTED = 256  # images that are decoded at once


@dataclass(frozen=True)
class Decoded:
    """What a file of codes holds.

    Attributes:
        codes: int64 [n, N].
        label: int64 [n], num_classes for "no class"; None where the file has none.
        sizes: height and width of each picture.
        images: uint8 [n, C, H, W], the originals to the bit, each in the upper left of [H, W] and 0 beyond
            it; None where the file has no residual, or was read without ``reconstruct``.
    """

    codes: Tensor
    label: Tensor | None
    sizes: list[tuple[int, int]]
    images: Tensor | None = None


def encode_codes(
    codes: Tensor,
    *,
    layout: CodeLayout,
    model: bytes,
    sizes: Sequence[tuple[int, int]],
    channels: int = 1,
    prior: Prior | None = None,
    are_counted: bool = True,
    label: Tensor | None = None,
    num_classes: int | None = None,
    block: int | None = None,
    images: Tensor | None = None,
    reconstruct: Reconstruct | None = None,
    tile: tiles.Size | None = None,
) -> Container:
    """The content of a file; :meth:`Container.to_bytes` and :func:`write_container` write it.

    Args:
        codes: int64 [n, N] of one layout, n at least 1.
        layout: of the codes.
        model: 16 bytes that say which model decodes them, e.g. by :func:`model_hash`.
        sizes: height and width of each picture, or of one for all.
        channels: of an image.
        prior: gives the probabilities; None for adaptive counts. It is run in float64.
        are_counted: without a prior: adaptive counts; else every code is as likely as any other.
        label: int64 [n], kept in the file and told to the prior; num_classes stands for "no class".
        num_classes: of the labels; None for the prior's.
        block: images that are coded together; None for 1,000 under a prior, 65,536 else, fewer if large.
        images: uint8 [n, C, H, W] originals to keep to the bit; an image fills the upper left.
        reconstruct: codes int64 [b, N] -> float64 [b, C, H, W] in [-1, 1]; needed with ``images``.
        tile: height and width of an image, into as many of which as cover it each picture was cut; None:
            each picture is one.

    Raises:
        OptionError: constriction is not installed.
        ValueError: codes, labels, sizes or images that do not fit each other or the prior.
    """
    coding.require_constriction()
    layout.require_codes(codes)
    if not len(codes) or len(model) != MODEL_BYTES:
        raise ValueError(
            f"{len(codes)} images and a hash of {len(model)} bytes: at least one image, {MODEL_BYTES} bytes"
        )
    if len(_sizes(sizes, len(codes), tile)) != len(codes):
        cuts = "" if tile is None else f" cut into tiles of {tile[0]} x {tile[1]}"
        raise ValueError(f"{len(sizes)} sizes for {len(codes)} images{cuts}: as many, or one for all")
    classes = _classes(label, num_classes, prior, len(codes))
    kind = Coder.PRIOR if prior is not None else Coder.COUNTS if are_counted else Coder.UNIFORM
    sources = _Sources(kind, layout, prior)
    sides = tuple(zip(*sizes, strict=True))
    for own in (tile or (1, 1), (min(sides[0]), min(sides[1])), (max(sides[0]), max(sides[1]))):
        if tile is not None and tile[0] == own[0] == 1 and tile[1] < own[1] <= MOST_LENGTH:
            continue  # a clip of pieces
        Container(kind, model, layout, classes, channels, [own], [Block(1, b"", 0)]).check()
    rows = codes.cpu().numpy()
    labels = None if label is None else label.cpu().numpy()
    step = _block(block, kind, layout)
    blocks = [
        sources.encode(
            rows[start : start + step], None if labels is None else labels[start : start + step], classes
        )
        for start in range(0, len(rows), step)
    ]
    sizes = [sizes[0]] if len(set(sizes)) == 1 else list(sizes)
    parts = _sizes(sizes, len(codes), tile)
    residuals = [] if images is None else list(_residuals(codes, images, parts, channels, reconstruct))
    return Container(kind, model, layout, classes, channels, sizes, blocks, residuals, tile)


def decode_codes(
    container: Container,
    *,
    layout: CodeLayout,
    model: bytes,
    prior: Prior | None = None,
    reconstruct: Reconstruct | None = None,
) -> Decoded:
    """What a file holds; the arguments are those of :func:`encode_codes`.

    Raises:
        OptionError: constriction is not installed.
        ValueError: another model wrote it, the prior is missing or not the one, or probabilities of this
            machine are not those of the one that wrote it; never wrong codes.
    """
    coding.require_constriction()
    if container.model != model:
        found, own = container.model.hex(), model.hex()
        raise ValueError(f"was written by another model: {found}, this one is {own}")
    if container.layout != layout:
        raise ValueError(f"holds codes of {container.layout.to_plain()}, the model has {layout.to_plain()}")
    if container.coder is Coder.PRIOR and prior is None:
        raise ValueError("was written with a prior, which is not given")
    sources = _Sources(container.coder, layout, prior if container.coder is Coder.PRIOR else None)
    blocks = [
        sources.decode(block, container.num_classes, f"block {number}")
        for number, block in enumerate(container.blocks)
    ]
    codes = torch.from_numpy(np.concatenate([rows for rows, _ in blocks]))
    label = None
    if container.num_classes:
        label = torch.from_numpy(np.concatenate([own for _, own in blocks if own is not None]))
    images = None
    if container.residuals and reconstruct is not None:
        parts = _sizes(container.sizes, len(codes), container.tile)
        images = _originals(container, codes, parts, reconstruct)
    sizes = list(container.sizes) * (container.pictures if len(container.sizes) == 1 else 1)
    return Decoded(codes, label, sizes, images)


class _Sources:
    """Codes blocks by one kind of source."""

    def __init__(self, kind: Coder, layout: CodeLayout, prior: Prior | None) -> None:
        if prior is not None and prior.layout != layout:
            raise ValueError(f"the prior is of codes {prior.layout.to_plain()}: must be {layout.to_plain()}")
        self._kind, self._layout = kind, layout
        self._prior = None if prior is None else in_float64(prior)

    def encode(self, codes: Integers, label: Integers | None, classes: int) -> Block:
        payload, met = self._stream(codes, label, classes, 0)
        shift = int(met.argmin()) if met[0] else 0  # of a block that lies on edges under each, the first
        if shift:
            payload, _ = self._stream(codes, label, classes, shift)
        return Block(len(codes), payload, _crc(codes, label), shift)

    def decode(self, block: Block, classes: int, name: str) -> tuple[Integers, Integers | None]:
        decoder, label = coding.Decoder(block.payload), None
        if classes:
            label = coding.decode(decoder, _labels(classes), block.images, 1)[:, 0]
        source = self._source(block.images, label, block.shift)
        codes = coding.decode(decoder, source, block.images, self._layout.length)
        if _crc(codes, label) != block.crc:
            why = "; its probabilities came out otherwise here" if self._prior is not None else ""
            raise ValueError(f"decodes to other codes than were written: the CRC of {name} is wrong{why}")
        return codes, label

    def _stream(
        self, codes: Integers, label: Integers | None, classes: int, shift: int
    ) -> tuple[bytes, npt.NDArray[np.bool_]]:
        encoder = coding.Encoder()
        if label is not None:
            coding.encode(encoder, _labels(classes), label[:, None])
        source = self._source(len(codes), label, shift)
        coding.encode(encoder, source, codes)
        met = source.met if isinstance(source, PriorSource) else np.zeros(1, dtype=np.bool_)
        return encoder.finish(), met

    def _source(self, batch: int, label: Integers | None, shift: int) -> coding.Source:
        if self._prior is not None:
            return PriorSource(self._prior, batch, label, shift)
        if self._kind is Coder.COUNTS:
            return CountSource(self._layout)
        return UniformSource(self._layout.element_sizes().numpy())


def _labels(classes: int) -> UniformSource:
    return UniformSource(np.array([classes + 1]))


def _crc(codes: Integers, label: Integers | None) -> int:
    start = 0 if label is None else zlib.crc32(label.astype("<i8").tobytes())
    return zlib.crc32(codes.astype("<i8").tobytes(), start)


def _classes(label: Tensor | None, num_classes: int | None, prior: Prior | None, images: int) -> int:
    """Classes of the file's labels, 0 where it has none."""
    if label is None:
        return 0
    classes = num_classes if num_classes is not None else prior.num_classes if prior is not None else None
    if not classes or (prior is not None and prior.num_classes != classes):
        own = None if prior is None else prior.num_classes
        raise ValueError(f"labels of {classes} classes for a prior of {own}: must be equal, and at least 1")
    if (
        label.dtype != torch.int64
        or label.shape != (images,)
        or not ((label >= 0) & (label <= classes)).all()
    ):
        raise ValueError(f"labels must be int64 [{images}], each in [0, {classes}]")
    return classes


def _block(block: int | None, kind: Coder, layout: CodeLayout) -> int:
    wanted = block if block is not None else IMAGES_UNDER_PRIOR if kind is Coder.PRIOR else MOST_IMAGES
    if wanted < 1:
        raise ValueError(f"blocks of {wanted} images: must be at least 1")
    fits = MOST_VALUES // layout.length
    if kind is Coder.PRIOR:
        fits = min(fits, _MOST_WEIGHTS // layout.vocabulary)
    return max(1, min(wanted, fits, MOST_IMAGES))


def _sizes(sizes: Sequence[tiles.Size], images: int, tile: tiles.Size | None) -> list[tiles.Size]:
    """Of each image, from the pictures' or one for all."""
    found = [size for one in sizes for size in tiles.sizes_of(one, tile)]
    return found * (images // len(found)) if len(sizes) == 1 else found


def _residuals(
    codes: Tensor,
    images: Tensor,
    sizes: Sequence[tuple[int, int]],
    channels: int,
    reconstruct: Reconstruct | None,
) -> Iterable[Residual]:
    if reconstruct is None:
        raise ValueError(
            "originals are kept to the bit by what the model decodes to: reconstruct must be given"
        )
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[:2] != (len(codes), channels):
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}: must be uint8 [{len(codes)}, {channels}, H, W]"
        )
    if (
        max(height for height, _ in sizes) > images.shape[2]
        or max(width for _, width in sizes) > images.shape[3]
    ):
        raise ValueError(f"sizes are larger than the images, {tuple(images.shape[2:])}")
    step = max(1, min(IMAGES_OF_RESIDUAL, MOST_VALUES // images[0].numel()))
    for start in range(0, len(codes), step):
        part = slice(start, start + step)
        originals = _cut(images[part].cpu().numpy(), sizes[part])
        payload = encode_residual(
            originals, _reconstructed(codes[part], reconstruct, originals.shape), sizes[part]
        )
        yield Residual(len(originals), payload, zlib.crc32(originals.tobytes()))


def _originals(
    container: Container, codes: Tensor, sizes: list[tuple[int, int]], reconstruct: Reconstruct
) -> Tensor:
    found, start = [], 0
    for number, residual in enumerate(container.residuals):
        part = slice(start, start + residual.images)
        predicted = _reconstructed(codes[part], reconstruct, None)
        if predicted.shape[1] != container.channels:
            raise ValueError(
                f"holds images of {container.channels} channels, the model's have {predicted.shape[1]}"
            )
        height, width = map(max, zip(*sizes[part], strict=True))
        if predicted.shape[2] < height or predicted.shape[3] < width:
            raise ValueError(f"holds images of {height} x {width}, the model's are {predicted.shape[2:]}")
        originals = decode_residual(residual.payload, predicted, sizes[part])
        if zlib.crc32(originals.tobytes()) != residual.crc:
            raise ValueError(
                f"decodes to other pixels than were written: the CRC of residual {number} is wrong"
            )
        found.append(originals)
        start += residual.images
    return torch.from_numpy(np.concatenate(found))


def _cut(images: Pixels, sizes: Sequence[tuple[int, int]]) -> Pixels:
    """Images that are 0 beyond their sizes."""
    found = images.copy()
    for image, (height, width) in zip(found, sizes, strict=True):
        image[:, height:], image[:, :, width:] = 0, 0
    return found


def _reconstructed(codes: Tensor, reconstruct: Reconstruct, shape: tuple[int, ...] | None) -> Pixels:
    with torch.no_grad():
        found = np.concatenate([to_uint8(reconstruct(part)) for part in codes.split(_RECONSTRUCTED)])
    if found.ndim != 4 or (shape is not None and found.shape != shape):
        raise ValueError(f"the model decodes to {found.shape}: must be {shape or '[B, C, H, W]'}")
    return found

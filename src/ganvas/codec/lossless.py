"""What an image differs from its decoded codes by, coded: with it an image comes back to the bit.

Pixels of all images of a block are coded place by place, row by row. Each is predicted by least squares from
its known neighbours and from the decoded image, which is known all around; the weights are found from the
pixels that were coded before, in whole numbers. Its distribution is a blend: how far predictions of that
expected error were off, then for each of several contexts the values seen in it, and of all these a
geometric mean whose exponents are learned. Everything is whole numbers, so that every machine has the same
weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.codec.coder import Decoder, Encoder, decode, encode
from ganvas.codec.counts import SCALE, growing_spans
from ganvas.codec.exact import log_steps, products, solve
from ganvas.codec.mixture import Mixture

Integers = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]

_KNOWN = (  # offsets of pixels that are coded before: row, column
    *((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)),
    *((-2, 1), (-1, -2), (-1, 2), (-2, -1), (0, -3), (-3, 0)),
)
_DECODED = ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (0, 2), (2, 0))
_PAD = 3
_FINE = 1 << 12  # steps of 1 in a weight of least squares
_RIDGE = 1000
# Between classes of an expected error, in sixteenths of a level.
_ERROR_STEPS = np.array(
    (
        *(5, 10, 16, 24, 32, 48, 64, 80, 96, 120, 144, 176),
        *(208, 240, 280, 320, 368, 432, 496, 576, 672, 800, 960),
    )
)
_ERRORS = len(_ERROR_STEPS) + 1
_ERROR_FEATURES = 12
_LEVELS = 256
_CONTEXTS = (32 * _ERRORS * 4, 32**3, 64 * 64, 64 * 64, 64 * 64, 33 * 33 * 9)  # numbers of contexts
_STRENGTH = 24  # of a context's mean, in pixels seen
_LARGEST = 1024
_TIE = 2.0**-8  # a decoder's constant output, 0 say, lies between two levels: not on the edge


def to_uint8(values: Tensor) -> Pixels:
    """Values in [-1, 1] to levels in [0, 255], in float64; any shape.

    Raises:
        ValueError: they are not finite.
    """
    if not torch.isfinite(values).all():
        raise ValueError("a model's images are not finite")
    scaled = (values.detach().double().cpu().clamp(-1, 1) + 1) * 127.5
    return (scaled + (0.5 + _TIE)).floor().clamp(0, 255).to(torch.uint8).numpy()


def encode_residual(images: Pixels, predicted: Pixels, sizes: Sequence[tuple[int, int]]) -> bytes:
    """A stream from which :func:`decode_residual` gets the images.

    Args:
        images: uint8 [B, C, H, W].
        predicted: what the model decodes to, of the same shape.
        sizes: height and width of each; what lies beyond is not coded.
    """
    source, encoder = _PixelSource(predicted, sizes), Encoder()
    encode(encoder, source, images.transpose(0, 2, 3, 1).reshape(len(images), -1).astype(np.int64))
    return encoder.finish()


def decode_residual(stream: bytes, predicted: Pixels, sizes: Sequence[tuple[int, int]]) -> Pixels:
    """uint8 [B, C, H, W], 0 beyond each image's size.

    Raises:
        ValueError: the stream was written under another prediction, as far as that shows.
    """
    batch, channels, height, width = predicted.shape
    source = _PixelSource(predicted, sizes)
    found = decode(Decoder(stream), source, batch, height * width * channels)
    return found.astype(np.uint8).reshape(batch, height, width, channels).transpose(0, 3, 1, 2).copy()


class _Plane:
    """What is known of one channel of a block: padded planes, sums for least squares, counts.

    Args:
        predicted: uint8 [B, H, W].
        before: planes of the channels before.
    """

    def __init__(self, predicted: Pixels, before: Sequence[_Plane]) -> None:
        self.decoded = np.pad(predicted.astype(np.int16), ((0, 0), (_PAD, _PAD), (_PAD, _PAD)), mode="edge")
        self.pixels, self.errors = self.decoded.copy(), np.zeros_like(self.decoded)
        self._before = list(before)
        self._level = _LeastSquares(len(_KNOWN) + len(_DECODED) + len(before))
        self._error = _LeastSquares(_ERROR_FEATURES, start=_FINE // 4)
        self._off = np.zeros(
            (_ERRORS, 2 * _LEVELS - 1), dtype=np.int64
        )  # by expected error: pixel - prediction
        self._seen = [np.zeros((size, _LEVELS), dtype=np.int32) for size in _CONTEXTS]
        self._totals = [np.zeros(size, dtype=np.int64) for size in _CONTEXTS]
        self._mixture = Mixture(len(_CONTEXTS) + 1, _ERRORS)

    def begin_row(self) -> None:
        """Finds the weights anew from all that was coded."""
        self._level.fit()
        self._error.fit()

    def look(self, row: int, column: int) -> None:
        """Predicts the pixels of one place in all images, and says in which contexts they are."""
        y, x = row + _PAD, column + _PAD
        here = self._here = self.decoded[:, y, x].astype(np.int64)
        near = [self.pixels[:, y + down, x + right] for down, right in _KNOWN]
        around = [self.decoded[:, y + down, x + right] for down, right in _DECODED]
        other = [plane.pixels[:, y, x] - plane.decoded[:, y, x] for plane in self._before]
        self._features = np.stack([*(one - here for one in (*near, *around)), *other], axis=1).astype(
            np.int64
        )
        guess = here + ((self._level.predict(self._features) + _FINE // 2) // _FINE)
        self.guess = np.clip(guess, 0, _LEVELS - 1)
        left, above, corner = (self._features[:, number] for number in range(3))
        errors = [self.errors[:, y + down, x + right] for down, right in _KNOWN[:6]]
        slopes = [
            self._features[:, len(_KNOWN)],
            self._features[:, len(_KNOWN) + 1],
            left - corner,
            above - corner,
        ]
        ones, dark = np.ones_like(here), np.minimum(self.guess, 32)
        self._spread = np.stack([*errors, *map(np.abs, slopes), dark, ones], axis=1).astype(np.int64)
        self._expected = np.maximum(self._error.predict(self._spread) * 16 // _FINE, 0)
        kind = self._kind = np.searchsorted(_ERROR_STEPS, self._expected, side="right")
        blank = (near[0] == 0).astype(np.int64) + (near[1] == 0) + (near[3] == 0)
        self._contexts = [
            (self.guess // 8 * _ERRORS + kind) * 4 + blank,
            (near[1].astype(np.int64) // 8 * 32 + near[3] // 8) * 32 + self.guess // 8,
        ]
        if other:  # the channel before says more than the neighbours
            self._contexts.append(self.guess // 4 * 64 + (other[-1] + _LEVELS) // 8)
            self._contexts.append(self.guess // 4 * 64 + here // 4)
        else:
            self._contexts.append(near[0].astype(np.int64) // 4 * 64 + here // 4)
            self._contexts.append(near[0].astype(np.int64) // 4 * 64 + near[1] // 4)
        # The middle one of left, above and their plane (LOCO-I); then what is dark, to the level.
        west, north, northwest = (near[number].astype(np.int64) for number in range(3))
        middle = np.clip(west + north - northwest, np.minimum(west, north), np.maximum(west, north))
        self._contexts.append(middle // 4 * 64 + self.guess // 4)
        darkest = np.minimum(west, 32) * 33 + np.minimum(north, 32)
        self._contexts.append(darkest * 9 + np.minimum(self.guess // 2, 8))

    def weights(self, span: Integers) -> Integers:
        """int64 [n, 256] of the pixels of some images at the place that was looked at last."""
        kind, guess = self._kind[span], self.guess[span]
        shifted = np.arange(_LEVELS) - guess[:, None] + (_LEVELS - 1)
        off = self._off[kind[:, None], shifted] * 8 + 1
        base = np.maximum(off * (SCALE // 16) // off.sum(axis=1, keepdims=True), 1)
        # (seen + strength base) / (total + strength): what is the same for all levels of a row drops out.
        each = np.int64(SCALE // 16 // _STRENGTH)
        contexts = [context[span] for context in self._contexts]
        logs = [log_steps(seen[own] * each + base) for seen, own in zip(self._seen, contexts, strict=True)]
        seen = [total[own] for total, own in zip(self._totals, contexts, strict=True)]
        experts = np.stack([*logs, log_steps(base)], axis=1)
        return self._mixture.weights(experts, np.stack([*seen, np.zeros_like(kind)], axis=1), kind)

    def learn(self, span: Integers, pixels: Integers) -> None:
        """Counts the pixels of some images at that place, which :meth:`weights` was asked about last."""
        self._mixture.learn(pixels)
        np.add.at(self._off, (self._kind[span], pixels - self.guess[span] + _LEVELS - 1), 1)
        for seen, totals, context in zip(self._seen, self._totals, self._contexts, strict=True):
            np.add.at(seen, (context[span], pixels), 1)
            np.add.at(totals, context[span], 1)

    def finish(self, row: int, column: int, inside: Integers, pixels: Integers) -> None:
        """Takes up the place's pixels of the images that reach it."""
        y, x = row + _PAD, column + _PAD
        error = np.abs(pixels - self.guess[inside])
        self.pixels[inside, y, x], self.errors[inside, y, x] = pixels, error
        self._level.add(self._features[inside], pixels - self._here[inside], np.ones_like(pixels))
        self._error.add(self._spread[inside], error, 1024 // (16 + self._expected[inside]))


class _LeastSquares:
    """Weighted least squares from running sums; weights are whole numbers of 1 / _FINE."""

    def __init__(self, features: int, start: int = 0) -> None:
        self._squares, self._target = (
            np.eye(features, dtype=np.int64) * _RIDGE,
            np.zeros(features, dtype=np.int64),
        )
        self._weights = np.full(features, start, dtype=np.int64)
        self._weights[4:] = 0
        self._has_seen = False

    def predict(self, features: Integers) -> Integers:
        """int64 [n], in 1 / _FINE."""
        found: Integers = features @ self._weights
        return found

    def add(self, features: Integers, target: Integers, weight: Integers) -> None:
        """Examples, each with a weight in [1, 64]."""
        weighted = features * weight[:, None]
        self._squares += products(weighted, features)
        self._target += products(weighted, target[:, None])[:, 0]
        self._has_seen = True

    def fit(self) -> None:
        """Finds the weights of all examples so far."""
        if self._has_seen:
            self._weights = np.clip(solve(self._squares, self._target, _FINE), -(1 << 20), 1 << 20)


class _PixelSource:
    """Weights of the pixels of a block; an element is (row, column, channel)."""

    def __init__(self, predicted: Pixels, sizes: Sequence[tuple[int, int]]) -> None:
        _, self._channels, _, self._width = predicted.shape
        self._planes: list[_Plane] = []
        for channel in range(self._channels):
            self._planes.append(_Plane(predicted[:, channel], self._planes))
        self._heights, self._widths = np.array(sizes, dtype=np.int64).reshape(-1, 2).T

    def spans(self, element: int, batch: int) -> Iterable[Integers]:
        """Images that reach the place; small pieces on the first row, where nothing is known."""
        row, column, channel = self._place(element)
        plane = self._planes[channel]
        if column == 0:
            plane.begin_row()
        plane.look(row, column)
        self._inside = np.flatnonzero((self._heights > row) & (self._widths > column))
        first = 16 if row == 0 else _LARGEST
        for piece in growing_spans(len(self._inside), first, _LARGEST):
            yield self._inside[piece]

    def weights(self, element: int, span: Integers, known: Integers) -> Integers:
        """int64 [n, 256]."""
        found: Integers = self._planes[element % self._channels].weights(span)
        return found

    def learn(self, element: int, span: Integers, known: Integers) -> None:
        """Counts the span; after the last one the place is known."""
        row, column, channel = self._place(element)
        plane = self._planes[channel]
        plane.learn(span, known[span, element])
        if span[-1] == self._inside[-1]:
            plane.finish(row, column, self._inside, known[self._inside, element])

    def _place(self, element: int) -> tuple[int, int, int]:
        place, channel = divmod(element, self._channels)
        return *divmod(place, self._width), channel

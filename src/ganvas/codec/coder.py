"""Arithmetic coding of whole numbers, a row of integer weights for each, by constriction's range coder.

A block of many samples is one stream, element by element: all samples' element 0, then all samples'
element 1. So a decoder asks its source of weights once an element, for all samples of the block.
constriction is an extra: ``pip install 'ganvas[codec]'``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ganvas.errors import missing_extra

Integers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.int64] | npt.NDArray[np.float64]  # whole numbers


class Source(Protocol):
    """What gives the weights of a block's elements, alike to encoder and decoder; good for one block.

    ``known`` int64 [B, N] holds what both know: the elements before this one, and of this one the samples
    of the spans before. What else stands in it means nothing.
    """

    def spans(self, element: int, batch: int) -> Iterable[Integers]:
        """Samples whose element is coded under weights of one moment: int64 row numbers, in the order."""
        ...

    def weights(self, element: int, span: Integers, known: Integers) -> Weights:
        """Whole numbers [len(span), size]: each at least 1, a row's sum below 2^53."""
        ...

    def learn(self, element: int, span: Integers, known: Integers) -> None:
        """Takes up what the span's samples turned out to be: ``known[span, element]``."""
        ...


class Encoder:
    """Numbers into one stream of bytes."""

    def __init__(self) -> None:
        self._model, queue = _constriction()
        self._queue = queue.RangeEncoder()

    def put(self, symbols: Integers, weights: Weights) -> None:
        """Codes int64 [n] under weights [n, size], each number in [0, size)."""
        if len(symbols):
            self._queue.encode(symbols.astype(np.int32), self._model, weights.astype(np.float64, copy=False))

    def finish(self) -> bytes:
        """The stream: 32-bit words, the lowest byte first."""
        return bytes(self._queue.get_compressed().astype("<u4").tobytes())


class Decoder:
    """Numbers out of a stream of bytes.

    Raises:
        ValueError: the stream is none.
    """

    def __init__(self, stream: bytes) -> None:
        self._model, queue = _constriction()
        if len(stream) % 4:
            raise ValueError("a stream of codes is cut: it holds no whole words")
        self._queue = queue.RangeDecoder(np.frombuffer(stream, dtype="<u4").astype(np.uint32))

    def take(self, weights: Weights) -> Integers:
        """int64 [n]: what was coded under weights [n, size].

        Raises:
            ValueError: the stream was written under other weights.
        """
        if not len(weights):
            return np.zeros(0, dtype=np.int64)
        try:
            found = self._queue.decode(self._model, weights.astype(np.float64, copy=False))
        except AssertionError as error:  # constriction's word for a stream that cannot be
            raise ValueError("a stream of codes was written under other probabilities") from error
        return np.asarray(found, dtype=np.int64)


def encode(encoder: Encoder, source: Source, codes: Integers) -> None:
    """Codes int64 [B, N], element by element."""
    for element in range(codes.shape[1]):
        for span in source.spans(element, len(codes)):
            encoder.put(codes[span, element], source.weights(element, span, codes))
            source.learn(element, span, codes)


def decode(decoder: Decoder, source: Source, batch: int, length: int) -> Integers:
    """int64 [batch, length]: what :func:`encode` coded under an equal source.

    Raises:
        ValueError: see :meth:`Decoder.take`.
    """
    known = np.zeros((batch, length), dtype=np.int64)
    for element in range(length):
        for span in source.spans(element, batch):
            known[span, element] = decoder.take(source.weights(element, span, known))
            source.learn(element, span, known)
    return known


def require_constriction(of: tuple[str, object] | None = None) -> None:
    """Raises OptionError where the extra is not installed; under the option and value ``of`` that need it."""
    _constriction(of)


def _constriction(of: tuple[str, object] | None = None) -> tuple[Any, Any]:
    """A family of categorical distributions, and the module of its range coder."""
    try:
        stream = importlib.import_module("constriction").stream
    except ImportError as error:
        raise missing_extra("codec", "constriction", of) from error
    return stream.model.Categorical(perfect=False), stream.queue

"""Symbols that are codes themselves: what a model of codes asks of a tokenizer, without one."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from ganvas.functional.code_layout import CodeLayout


class Symbols:
    """What :class:`ganvas.model.tokenizer.Tokenizer` promises, of data of symbols int64 [B, T].

    One level of V codes at T positions; nothing is lost, so that bits of codes are bits of samples.

    Args:
        data: the data module: its ``vocabulary`` and ``declared_shape`` (T,) say all, and no data are read.
    """

    is_lossless = True
    place = "the data's own symbols"

    def __init__(self, data: Any) -> None:
        self.data = data
        self.sample_shape: tuple[int, ...] = tuple(data.declared_shape)
        self.layout = CodeLayout(((int(data.vocabulary),),), (self.sample_shape,))
        ids = getattr(getattr(data, "ids", None), "sha256", "bytes")
        self.sha256 = hashlib.sha256(f"symbols {self.layout.to_plain()} {ids}".encode()).hexdigest()
        self.notes: list[str] = []

    @property
    def num_classes(self) -> int | None:
        found: int | None = self.data.num_classes
        return found

    def to(self, device: torch.device) -> Symbols:
        return self

    def encode(self, x: Tensor) -> Tensor:
        """Symbols int64 [B, T] as they are."""
        return x

    def decode(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, T] as they are."""
        return codes

    def rest_nats(self, x: Tensor, codes: Tensor) -> Tensor:
        """Of symbols nothing is left: zeros float64 [B]."""
        return torch.zeros(len(x), dtype=torch.float64, device=codes.device)

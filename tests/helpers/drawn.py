"""Drawings of samples whose shape says what they are."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganvas.modality.guess import modality_of


def draw(x: Tensor, **options: Any) -> Tensor:
    return modality_of(x.shape[1:]).draw(x, **options)


def draw_pairs(x: Tensor, made: Tensor, **options: Any) -> Tensor:
    return modality_of(x.shape[1:]).draw_pairs(x, made, **options)


def draw_codes(x: Tensor, *others: Any, **options: Any) -> Tensor:
    return modality_of(x.shape[1:]).draw_codes(x, *others, **options)


def draw_rows(x: Tensor, **options: Any) -> Tensor:
    return modality_of(x.shape[2:]).draw_rows(x, **options)


def draw_walk(x: Tensor, **options: Any) -> list[Tensor]:
    return modality_of(x.shape[2:]).draw_walk(x, **options)


def draw_neighbours(x: Tensor, near: Tensor) -> Tensor:
    return modality_of(x.shape[1:]).draw_neighbours(x, near)

"""Samples of which not all is to be seen: under grey, in silence, with signs."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ganvas.modality.interface import Modality

HIDDEN = "\u2592"  # what stands for a symbol that is hidden


def veiled(kind: Modality, x: Tensor, share: Tensor) -> Tensor:
    """Samples [N, ...] times the share of each place that is known: grey, or silence, where none is.

    Symbols that are not known as a whole are the kind's ``blank``.

    Args:
        share: [N, 1, *sides] in [0, 1], see :func:`ganvas.functional.code_places.share_known`.
    """
    share = share.view(len(x), *[1] * (x.ndim - 1 - kind.sides), *share.shape[2:])
    return x.where(share == 1, x.new_tensor(kind.blank)) if kind.is_discrete else x * share


def readings_of(kind: Modality, x: Tensor, share: Tensor) -> Sequence[str]:
    """Samples [N, ...] as text each, with a sign for every symbol that is not known as a whole; none where
    samples are not read.

    Args:
        share: as of :func:`veiled`.
    """
    if not kind.readings(x[:1]):
        return ()
    return [with_signs(kind, *one) for one in zip(x, share.flatten(1) == 1, strict=True)]


def with_signs(kind: Modality, x: Tensor, shown: Tensor, sign: str = HIDDEN) -> str:
    """A text int64 [T] in which a sign stands for every symbol that is not shown, bool [T]."""
    parts, start = [], 0
    for end in range(1, len(x) + 1):
        if end < len(x) and shown[end] == shown[start]:
            continue
        is_shown, run = bool(shown[start]), x[start:end]  # symbols in a row make letters together
        parts.append(kind.readings(run[None])[0] if is_shown else sign * len(run))
        start = end
    return "".join(parts)

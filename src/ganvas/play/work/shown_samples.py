"""Samples of any modality as a page shows them: a picture, a sound, text; and as files."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ganvas.callback.drawing.shown import as_wav
from ganvas.errors import require
from ganvas.files.text import data_uri
from ganvas.functional.images import to_float
from ganvas.modality.drawing.files import save_into, to_image
from ganvas.modality.interface import SHEETS, Modality
from ganvas.modality.partial import readings_of, veiled, with_signs
from ganvas.play.work.pictures import error_map
from ganvas.play.work.uri import uri_of

RIGHT = "\u00b7"  # what stands for a symbol that is as it was


class Seen(NamedTuple):
    """A sample for a page; at least one of them is there.

    Attributes:
        picture: a data URI of a PNG; None of what is read.
        sound: a data URI of a WAV.
        text: as it is, to be shown as text and never as HTML.
    """

    picture: str | None
    sound: str | None = None
    text: str | None = None


def require_shown(kind: Modality, shape: tuple[int, ...], place: object) -> None:
    """Raises OptionError (``RUN``) where samples cannot be shown one by one."""
    rule = f"its samples have shape {list(shape)}; the page shows images, sounds and texts, one by one"
    require(kind.has_pictures and not kind.together, "RUN", place, rule)


def is_played_or_read(kind: Modality, shape: tuple[int, ...]) -> bool:
    """Whether samples are heard or read, each in a place of its own; else pictures lie in a grid."""
    example = kind.example(shape)
    return bool(kind.clips(example)) or bool(kind.readings(example))


def see(kind: Modality, x: Tensor, *, heard: bool = True) -> list[Seen]:
    """Samples [N, ...], each as it is shown.

    Args:
        heard: whether sounds are there to be played.
    """
    texts = kind.readings(x)
    if texts:
        return [Seen(None, None, text) for text in texts]
    pictures = [uri_of(one) for one in kind.pictures(x)]
    clips = kind.clips(x) if heard else ()
    if not clips:
        return [Seen(picture) for picture in pictures]
    sounds = [data_uri("audio/wav", as_wav(clip)) for clip in clips]
    return [Seen(picture, sound) for picture, sound in zip(pictures, sounds, strict=True)]


def see_part(kind: Modality, x: Tensor, share: Tensor, *, heard: bool = True) -> list[Seen]:
    """Samples [N, ...] of which not all is known: images under grey, sounds in silence, texts with signs.

    Args:
        share: how much of each place is known, [N, 1, *sides] in [0, 1] (see
            :func:`ganvas.functional.code_places.share_known`); a symbol is known where all of it is.
        heard: whether sounds are there to be played.
    """
    texts = readings_of(kind, x, share)
    if texts:
        return [Seen(None, None, text) for text in texts]
    return see(kind, veiled(kind, x, share), heard=heard)


def see_difference(kind: Modality, original: Tensor, other: Tensor) -> tuple[Seen, str]:
    """Where a sample is off its original, and a caption that says how to read it.

    Of a text its symbols, with a sign for those that are right; of a sound what must be added to the other;
    of an image the error of each pixel, see :func:`ganvas.play.work.pictures.error_map`.
    """
    if kind.readings(other[None]):
        right = original == other
        wrong = int((~right).sum())
        seen = Seen(None, None, with_signs(kind, other, ~right, RIGHT))
        return seen, f"{wrong} of {len(right)} symbols are wrong; {RIGHT} is right"
    if kind.clips(other[None]):
        return see(kind, (original - other)[None])[0], "what is lost: the original less what is decoded"
    pictures = [to_float(kind.pictures(one[None])[0]) for one in (original, other)]
    heat, largest = error_map(*pictures)
    return Seen(uri_of(heat)), f"error: white is {largest:.0%} of the range"


def own_ending(kind: Modality) -> str:
    """Of the file that a reader wants of several samples: ``.png``, ``.wav``, ``.txt``."""
    return next((ending for ending in kind.sheets if ending not in SHEETS), SHEETS[0])


def as_file(
    kind: Modality, x: Tensor, ending: str, *, columns: int | None = None, labels: Tensor | None = None
) -> bytes:
    """The file that ``ganvas sample --out`` writes of these samples [N, ...].

    Args:
        ending: of an image, ``.npz``, or what the modality has of its own.
        columns: of an image's grid.
        labels: classes int64 [N], for a .npz.
    """
    file = io.BytesIO()
    if ending == ".npz":
        arrays: dict[str, Any] = {kind.plural: kind.arrays(x).numpy()}
        if labels is not None:
            arrays["labels"] = labels.cpu().numpy()
        np.savez_compressed(file, **arrays)
    elif ending in SHEETS:
        save_into(file, ending, to_image(kind.draw(x, columns=columns)))
    else:
        kind.write_several(file, ending, kind.to_stored(x).cpu())
    return file.getvalue()

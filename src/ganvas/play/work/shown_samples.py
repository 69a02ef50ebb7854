"""Samples of any modality as a page shows them: a picture, a sound, text; and as files."""

from __future__ import annotations

import base64
import io
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ganvas.callback.drawing.shown import as_wav
from ganvas.errors import require
from ganvas.modality.drawing.files import save_into, to_image
from ganvas.modality.interface import SHEETS, Modality
from ganvas.play.work.uri import uri_of


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


def see(kind: Modality, x: Tensor) -> list[Seen]:
    """Samples [N, ...], each as it is shown."""
    texts = kind.readings(x)
    if texts:
        return [Seen(None, None, text) for text in texts]
    pictures = [uri_of(one) for one in kind.pictures(x)]
    clips = kind.clips(x)
    if not clips:
        return [Seen(picture) for picture in pictures]
    sounds = [_sound_uri(as_wav(clip)) for clip in clips]
    return [Seen(picture, sound) for picture, sound in zip(pictures, sounds, strict=True)]


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


def _sound_uri(wav: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"

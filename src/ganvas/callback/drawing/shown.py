"""What a preview shows of samples: an image, codes, sounds and text; and where it goes."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ganvas.files.write import WholeFile
from ganvas.modality.drawing.files import save_image
from ganvas.modality.interface import SHEETS, Clip, Modality


class ShownCodes(NamedTuple):
    """Codes of the samples that are shown.

    Attributes:
        image: uint8 [3, H, W].
        indices: of each level int64 [N, *positions].
        sizes: number of codes of each level.
    """

    image: Tensor
    indices: Sequence[Tensor]
    sizes: Sequence[int]


class Shown(NamedTuple):
    """What is to be seen, heard and read; on the CPU.

    Attributes:
        image: uint8 [1 or 3, H, W].
        codes: where the recipe has some.
        clips: by name, e.g. ``0_original``; none where nothing can be heard.
        text: in Markdown; None where nothing can be read.
        modality: of the samples.
        stored: the samples as they are stored [N, ...], where they have a file beside the image.
        beside: their originals likewise.
    """

    image: Tensor
    codes: ShownCodes | None
    clips: dict[str, Clip]
    text: str | None
    modality: Modality
    stored: Tensor | None
    beside: Tensor | None


def look_at(
    kind: Modality,
    x: Tensor,
    image: Tensor,
    num_heard: int,
    *,
    beside: Tensor | None = None,
    codes: ShownCodes | None = None,
) -> Shown:
    """What is shown of samples [N, ...].

    Args:
        image: the drawing of all of them.
        num_heard: of how many clips are kept.
        beside: the originals of samples that are reconstructions.
    """
    clips: dict[str, Clip] = {}
    for name, side in (("original", beside), ("reconstruction" if beside is not None else "sample", x)):
        heard = kind.clips(side[:num_heard]) if side is not None and num_heard else ()
        clips |= {f"{number}_{name}": clip for number, clip in enumerate(heard)}
    has_file = any(ending not in SHEETS for ending in kind.sheets)
    stored = kind.to_stored(x).cpu() if has_file else None
    others = kind.to_stored(beside).cpu() if has_file and beside is not None else None
    return Shown(image, codes, dict(sorted(clips.items())), kind.text(x), kind, stored, others)


def save_shown(base: Path, shown: Shown) -> None:
    """Writes ``base``.png, and what can be heard or read beside it."""
    save_image(base.with_suffix(".png"), shown.image)
    ending = next((one for one in shown.modality.sheets if one not in SHEETS), None)
    if ending is not None and shown.stored is not None:
        with WholeFile(base.with_suffix(ending)) as file:
            shown.modality.write_several(file, ending, shown.stored, shown.beside)


def write_shown(writer: Any, shown: Shown, examples: int) -> None:
    """Writes it to TensorBoard: images, audio, text, and histograms of the codes."""
    writer.add_image("samples", shown.image, examples)
    for name, clip in shown.clips.items():
        # its summary takes one channel alone, as [1, T]
        writer.add_audio(f"samples/{name}", clip.x.mean(0, keepdim=True), examples, sample_rate=clip.rate)
    if shown.text is not None:
        writer.add_text("samples", shown.text, examples)
    if shown.codes is not None:
        writer.add_image("codes", shown.codes.image, examples)
        _add_code_histograms(writer, shown.codes, examples)


def tell_shown(logger: Any, shown: Shown, examples: int) -> None:
    """Hands it to a tracker of ganvas.logger."""
    logger.take_image("samples", shown.image, examples)
    for name, clip in shown.clips.items():
        logger.take_audio(f"samples/{name}", as_wav(clip), examples)
    if shown.codes is not None:
        logger.take_image("codes", shown.codes.image, examples)


def as_wav(clip: Clip) -> bytes:
    """A WAV file of 16 bits."""
    values = (clip.x.clamp(-1, 1) * 32767).round().numpy().astype("<i2")  # [C, T]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(values.shape[0])
        out.setsampwidth(2)
        out.setframerate(clip.rate)
        out.writeframes(values.T.tobytes())
    return file.getvalue()


def _add_code_histograms(writer: Any, codes: ShownCodes, examples: int) -> None:
    for level, (one, size) in enumerate(zip(codes.indices, codes.sizes, strict=True), 1):
        edges = np.linspace(0, size, min(size, 256) + 1)  # a bar a code, or a bar for several
        tag = "codes/usage" if len(codes.sizes) == 1 else f"codes/usage_level_{level}"
        writer.add_histogram(tag, one.flatten().cpu(), examples, bins=edges)

"""Samples that a command has all at hand, in the one file that ``--out`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import check_sheet, writing
from ganvas.files.text import say
from ganvas.files.write import WholeFile
from ganvas.modality.drawing.files import save_image
from ganvas.modality.interface import SHEETS, Modality

if TYPE_CHECKING:
    from torch import Tensor


def save_samples(
    out: Path,
    modality: Modality,
    samples: Mapping[str, Tensor],
    sheet: Callable[[], Tensor],
    others: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes ``--out`` and prints its name: arrays in a .npz, an image, or what the modality has of its own.

    Args:
        samples: by name, each [..., *shape] as networks take them. The first are the ones that the command is
            about; where files of the modality's own hold pairs, the second are their originals.
        sheet: makes the image, uint8 [1 or 3, H, W].
        others: more tensors of a .npz, which are no samples.
    """
    if out.suffix == ".npz":
        import numpy

        arrays: dict[str, Any] = {name: modality.arrays(x).cpu().numpy() for name, x in samples.items()}
        arrays |= {name: x.cpu().numpy() for name, x in (others or {}).items()}
        with writing(out), WholeFile(out) as file:
            numpy.savez_compressed(file, **arrays)
    elif out.suffix in SHEETS:
        image = sheet()
        check_sheet(out, image)
        with writing(out):
            save_image(out, image)
    else:
        stored = [modality.to_stored(x).cpu() for x in samples.values()]
        with writing(out), WholeFile(out) as file:
            modality.write_several(file, out.suffix, *stored[:2])
    say(out)

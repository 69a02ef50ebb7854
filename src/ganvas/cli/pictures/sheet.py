"""A sheet of samples in rows and columns, and the files that it is written to, whatever samples are."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ganvas.cli.arguments import check_new_folder, check_out, writing
from ganvas.cli.trained.files.options import check_scale, check_sheet_of
from ganvas.cli.trained.files.save import save_samples
from ganvas.errors import require
from ganvas.files.text import say
from ganvas.files.write import WholeFile, new_folder
from ganvas.modality.drawing.files import check_format, check_size
from ganvas.modality.interface import SHEETS, Modality
from ganvas.modality.partial import readings_of, veiled
from ganvas.run.folder.run_folder import check_name_fits

_READ = ".txt"  # ending of files for people who read
_DIGITS = 6  # of the names of files in a folder


class Sheet(NamedTuple):
    """A sheet of samples.

    Attributes:
        x: [rows, columns, ...] as networks take them, on the CPU.
        share: how much of each place is to be seen, [rows, columns, 1, *sides] in [0, 1]; None: all.
        names: of each row and column what is there.
        samples: what an ``--out F.npz`` holds of samples, by name.
        others: and of other tensors.
        told: what rows and columns are.
    """

    x: Tensor
    share: Tensor | None
    names: Sequence[Sequence[str]]
    samples: dict[str, Tensor]
    others: dict[str, Tensor]
    told: str

    def veiled(self, kind: Modality) -> Tensor:
        """The samples [rows columns, ...] in their order, grey or silent where they are hidden."""
        x = self.x.flatten(0, 1)
        return x if self.share is None else veiled(kind, x, self.share.flatten(0, 1))

    def readings(self, kind: Modality) -> Sequence[str]:
        """The same as text each; none where they are not read."""
        x = self.x.flatten(0, 1)
        return kind.readings(x) if self.share is None else readings_of(kind, x, self.share.flatten(0, 1))

    def names_in_order(self) -> list[str]:
        return [name for row in self.names for name in row]


def read_out(text: str | None, scale: int | None) -> Path | None:
    """What ``--out`` names as far as it is told before the samples' kind is known; nothing is written.

    Raises:
        OptionError: ``--out``, ``--scale``: it cannot be written so.
    """
    if text is None:
        check_scale(scale, "")
        return None
    out = Path(text)
    check_name_fits(out, "--out")
    if is_folder(out) or text.endswith(("/", os.sep)):
        check_new_folder(out)
        rule = "is of a sheet, and --out is a folder of files; leave it out"
        require(scale is None, "--scale", scale, rule)
        return out
    check_out(out, (out.suffix,))
    check_scale(scale, out.suffix)
    return out


def is_folder(out: Path) -> bool:
    """Whether it takes a file for each sample."""
    return not out.suffix or out.is_dir()


def fitted_out(out: Path | None, default: Path, kind: Modality, shape: Sequence[int]) -> Path:
    """The file or folder, of the kind's usual ending where none is given.

    Args:
        default: the file where none is given, without its ending.
        shape: of a sample.

    Raises:
        OptionError: ``--out``: samples of this kind have no such files.
    """
    if out is None:
        out = default.with_name(f"{default.name}{kind.sheets[0]}")
        check_out(out, (out.suffix,))
        return out
    if not is_folder(out):
        check_sheet_of(kind, out.suffix, out)
        return out
    rule = f"{kind.plural} have no files of their own; --out F.npz writes any samples"
    require(bool(kind.endings), "--out", f"{out}/", rule)
    check_format(kind.endings[0], "--out", f"{out}/")
    if kind.has_pixels:
        rule = f"images of {shape[0]} channels are no files; --out F.npz writes any samples"
        require(shape[0] in (1, 3), "--out", f"{out}/", rule)
        check_size(kind.endings[0], shape[2], shape[1], option="--out", value=f"{out}/")
    return out


def write_sheet(sheet: Sheet, out: Path, kind: Modality, scale: int | None) -> None:
    """Writes a drawing, arrays (.npz), what the kind has of its own, or a folder; prints its name."""
    if is_folder(out):
        _write_folder(sheet, out, kind)
    elif out.suffix in (*SHEETS, ".npz"):
        save_samples(out, kind, sheet.samples, _drawing(sheet, kind, scale), sheet.others)
        return
    else:
        readings = sheet.readings(kind) if out.suffix == _READ else ()
        with writing(out), WholeFile(out) as file:
            if readings:
                named = zip(sheet.names_in_order(), readings, strict=True)
                file.write("".join(f"--- {name}\n{text}\n" for name, text in named).encode("utf-8"))
            else:
                kind.write_several(file, out.suffix, kind.to_stored(sheet.veiled(kind)).cpu())
    say(out)


def _drawing(sheet: Sheet, kind: Modality, scale: int | None) -> Callable[[], Tensor]:
    rows = tuple(sheet.x.shape[:2])
    return lambda: kind.draw_rows(sheet.veiled(kind).unflatten(0, rows), scale=scale)


def _write_folder(sheet: Sheet, out: Path, kind: Modality) -> None:
    """``000003-test-0-completion-1.wav`` and so on, in the sheet's order."""
    ending = kind.endings[0]
    stored = kind.to_stored(sheet.veiled(kind)).cpu()
    with writing(out), new_folder(out) as shop:
        for number, (name, one) in enumerate(zip(sheet.names_in_order(), stored, strict=True)):
            content = io.BytesIO()
            kind.write(content, ending, one)
            word = re.sub(r"[^\w.]+", "-", name)
            shop.write(f"{number:0{_DIGITS}}-{word}{ending}", content.getvalue())

"""The options that say how samples are written: ``--scale``, and an ``--out`` that is a file or a folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.cli.arguments import check_num, check_out
from ganvas.errors import OptionError, require
from ganvas.modality.drawing.files import IMAGES, check_format
from ganvas.run.folder.run_folder import check_name_fits, check_writable

if TYPE_CHECKING:
    from ganvas.modality.interface import Modality

_MOST_PIXELS = 2**28  # 0.8 GB in colours
FORMATS = tuple(ending[1:] for ending in IMAGES)  # of the files in a folder


@dataclass(frozen=True)
class Target:
    """Where samples go.

    Attributes:
        path: the file, or the folder that takes a file for each sample.
        ending: of the file, or of the files in the folder.
        is_folder: which of the two.
    """

    path: Path
    ending: str
    is_folder: bool


def add_scale(parser: argparse.ArgumentParser, without: str = "small images come near to 64 pixels") -> None:
    """Adds ``--scale`` to a command that draws images.

    Args:
        without: what happens where it is not given.
    """
    parser.add_argument(
        "--scale", type=int, help=f"each pixel as a square of this many a side; without, {without}"
    )


def check_scale(scale: int | None, ending: str) -> None:
    """Raises OptionError (``--scale``) unless files of this ending hold images to enlarge."""
    check_num(scale, "--scale")
    fits = scale is None or ending != ".npz"
    require(fits, "--scale", scale, "is of images, and --out is an array; leave it out")


def check_scalable(scale: int | None, modality: Modality, shape: Sequence[int], count: int = 1) -> None:
    """Raises OptionError (``--scale``) where samples are no images, or are enlarged beyond the memory.

    Args:
        shape: of a sample.
        count: samples that are drawn together.
    """
    if scale is None:
        return
    rule = f"is of images, and these samples have shape {list(shape)}; leave it out"
    require(modality.has_pixels, "--scale", scale, rule)
    pixels = count * shape[1] * shape[2] * scale**2
    rule = f"makes {pixels:,} pixels, drawn at once, of at most {_MOST_PIXELS:,}; take a smaller one"
    require(pixels <= _MOST_PIXELS, "--scale", scale, rule)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Adds ``--out`` of a file or a folder, and what belongs to it."""
    parser.add_argument(
        "--out",
        help="F.png, F.webp, F.jpg: a grid; F.wav, F.txt: sounds or texts one after another; F.npz: images "
        "uint8 [N, H, W, C], and labels int64 [N] of conditional GANs; FOLDER/: a file each, 000000.png and "
        "so on, of conditional GANs in a folder for each class",
    )
    parser.add_argument(
        "--format", help=f"of the files in a FOLDER/: {', '.join(FORMATS)} (png); of sounds wav, flac (wav)"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="write over files of these names in a FOLDER/",
    )


def read_target(arguments: argparse.Namespace, default: Path) -> Target:
    """Where ``--out`` and its companions say that samples go, as far as it is told before the samples' kind
    is known (see :func:`fitted`); nothing is written.

    Args:
        default: the file, where ``--out`` is not given; without its ending.

    Raises:
        OptionError: of these options, one that cannot be taken.
    """
    text = str(default) if arguments.out is None else arguments.out
    path = Path(text)
    check_name_fits(path, "--out")
    is_folder = arguments.out is not None and (text.endswith(("/", os.sep)) or path.is_dir())
    if not is_folder:
        for name in ("format", "overwrite"):
            value = getattr(arguments, name)
            require(not value, f"--{name}", value, "is of a folder, and --out is a file; leave it out")
        if arguments.out is None:
            return Target(path, "", is_folder=False)
        known = bool(path.suffix)
        require(known, "--out", text, "must end in .png, .webp, .jpg, .jpeg or .npz, or in / for a folder")
        check_out(path, (path.suffix,))
        return Target(path, path.suffix, is_folder=False)
    if path.exists() and not path.is_dir():
        raise OptionError("--out", text, "is a file; leave the / out, or name another folder")
    check_writable(path, "--out")
    if not arguments.overwrite:
        from ganvas.modality.image import Image

        _require_none(path, Image())
    return Target(path, "" if arguments.format is None else f".{arguments.format}", is_folder=True)


def fitted(target: Target, arguments: argparse.Namespace, modality: Modality) -> Target:
    """The target with the usual ending of samples of this kind where none was given.

    Raises:
        OptionError: ``--out``, ``--format``: the kind has no such files; a folder that holds samples already.
    """
    if not target.is_folder:
        if target.ending:
            check_sheet_of(modality, target.ending, target.path)
            return target
        ending = modality.sheets[0]
        path = target.path.with_name(f"{target.path.name}{ending}")
        check_out(path, (ending,))
        return Target(path, ending, is_folder=False)
    formats = [ending[1:] for ending in modality.endings]
    folder = f"{target.path}/"
    told = f"{modality.plural} have no files of their own; --out F.npz writes any samples"
    require(bool(formats), "--out", folder, told)
    ending = target.ending or modality.endings[0]
    names = f"{', '.join(formats[:-1])} or {formats[-1]}" if len(formats) > 1 else formats[0]
    require(ending in modality.endings, "--format", arguments.format, f"must be {names}")
    check_format(ending, "--format", ending[1:])
    if not arguments.overwrite:
        _require_none(target.path, modality)
    return Target(target.path, ending, is_folder=True)


def _require_none(folder: Path, modality: Modality) -> None:
    """Raises OptionError (``--out``) where samples of this kind lie in a folder."""
    found = next(samples_in(folder, modality), None)
    rule = "--overwrite writes over files of the same names, or name another folder"
    require(found is None, "--out", f"{folder}/", f"holds {modality.plural} already ({found}); {rule}")


def check_sheet_of(modality: Modality, ending: str, out: Path) -> None:
    """Raises OptionError (``--out``) unless samples of this kind are written to files of this ending."""
    known = [*modality.sheets, ".npz"]
    rule = f"must end in {', '.join(known[:-1])} or {known[-1]}, or in / for a folder"
    require(ending in known, "--out", out, rule)


def samples_in(folder: Path, modality: Modality) -> Iterator[Path]:
    """Files of samples of this kind in a folder and in those in it, relative to it, but hidden ones."""
    from ganvas.data.files.formats import KNOWN

    if not folder.is_dir():
        return
    known = KNOWN if modality.has_pixels else modality.endings
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        shown = (one for one in inside if one.suffix.lower() in known and not one.name.startswith("."))
        yield from (one.relative_to(folder) for one in shown if one.is_file())

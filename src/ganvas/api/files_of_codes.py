"""``ganvas.encode`` and ``ganvas.decode``: files of codes, as the commands make and read them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.api.loading import code_of
from ganvas.api.run import Run
from ganvas.api.state import call
from ganvas.cli.trained.decode import decode as decode_file
from ganvas.cli.trained.decode import decode_parser
from ganvas.cli.trained.encode import encode as encode_pictures
from ganvas.cli.trained.encode import encode_parser
from ganvas.errors import require

if TYPE_CHECKING:
    from torch import Tensor


@call
def encode(
    run: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]] = (),
    *,
    out: str | os.PathLike[str],
    split: str | None = None,
    num: int | None = None,
    labels: bool = False,
    lossless: bool = False,
    level: int | None = None,
    overwrite: bool = False,
    batch_size: int = 256,
    output_dir: str | os.PathLike[str] = "outputs",
    config_dir: str | os.PathLike[str] | None = None,
    allow_imports: Sequence[str] = (),
    allow_places: bool = False,
) -> dict[str, Any]:
    """Writes pictures, sounds or texts as a file of codes.

    Args:
        run: of a VQ-VAE, or of a prior over its codes: a :class:`Run`, its folder, the unique beginning of
            its name, ``latest`` or ``latest:KIND``.
        files: of what the run is of, and folders of them.
        out: the file, ``F.gvq``.
        split: instead of ``files``, ``train``, ``val`` or ``test`` of the run's data.
        num: of the split, the first ones; None takes all.
        labels: of the split: a prior with classes is told them, and the file keeps them.
        lossless: keeps every bit of the pictures, not of their codes alone.
        level: the first levels of the codes alone, so many; None takes all.
        overwrite: writes over a file that is there.
        batch_size: tiles that are encoded at a time.
        output_dir, config_dir, allow_imports, allow_places: as of ``ganvas.evaluate``.

    Returns:
        ``modality``, ``images`` (or ``sounds`` ...), ``sizes``, ``bytes``, of these ``header``, ``codes`` and
        ``residual``, ``bits_per_image`` (or of what there is), ``bits_per_dim``; and of what the codes decode
        to ``psnr``, or of others than images ``measures``.

    Raises:
        OptionError: an argument; a picture that cannot be read; a run that has no codes.
    """
    require(split in (None, "train", "val", "test"), "split", split, "must be train, val or test, or None")
    rule = "must be a list of files and folders"
    require(not isinstance(files, str | os.PathLike), "files", files, rule)
    arguments = encode_parser().parse_args([os.fspath(run), "--out", os.fspath(out)])
    vars(arguments).update(
        files=[os.fspath(one) for one in files],
        split=split,
        num=num,
        labels=labels,
        lossless=lossless,
        level=level,
        overwrite=overwrite,
        batch_size=batch_size,
        **_of_a_run(run, output_dir, config_dir, allow_imports, allow_places),
    )
    return encode_pictures(arguments)


@call
def decode(
    file: str | os.PathLike[str],
    run: str | os.PathLike[str] | None = None,
    *,
    batch_size: int = 256,
    output_dir: str | os.PathLike[str] = "outputs",
    config_dir: str | os.PathLike[str] | None = None,
    allow_imports: Sequence[str] = (),
    allow_places: bool = False,
) -> list[Tensor]:
    """The pictures, sounds or texts of a file of codes.

    Args:
        file: that ``encode`` wrote, ``F.gvq``.
        run: that wrote it; None finds it under ``output_dir`` by its weights.
        batch_size: tiles that are decoded at a time.
        output_dir, config_dir, allow_imports, allow_places: as of ``ganvas.evaluate``.

    Returns:
        of each picture uint8 [C, H, W] (a sound int16 [C, T], a text uint8 [T]): what its codes decode to, or
        of a lossless file the original.

    Raises:
        OptionError: the file is damaged, another model wrote it, or no run is found that did.
    """
    arguments = decode_parser().parse_args([os.fspath(file), "--out", ""])
    vars(arguments).update(
        run=None if run is None else os.fspath(run),
        batch_size=batch_size,
        **_of_a_run(run, output_dir, config_dir, allow_imports, allow_places),
    )
    arguments.file = Path(file)
    return list(decode_file(arguments, None).samples)


def _of_a_run(
    run: object,
    output_dir: str | os.PathLike[str],
    config_dir: str | os.PathLike[str] | None,
    allow_imports: Sequence[str],
    allow_places: bool,
) -> dict[str, Any]:
    groups, allow = code_of(run, config_dir, allow_imports)
    return {
        "output_dir": os.fspath(output_dir),
        "config_dir": groups,
        "allow_imports": allow,
        "allow_places": allow_places or (isinstance(run, Run) and run.allows_places),
    }

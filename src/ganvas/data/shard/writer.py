"""Images of any data set as .tar shards in the WebDataset convention; equal images give equal bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.errors import OutputError, require
from ganvas.files.write import WholeFile, is_free, new_folder


def write_shards(data: TensorDataModule, out: Path, *, images_per_shard: int) -> dict[str, int]:
    """Writes ``<split>-000000.tar``, ... of every split that holds images; the folder is whole or absent.

    A sample is ``<its number>.png``, lossless, and ``.cls`` where it has a label.

    Args:
        data: images uint8 [N, 1 or 3, H, W].
        out: a folder that is not there, or is empty.
        images_per_shard: of every shard but a split's last.

    Returns:
        shards written of each split.

    Raises:
        OptionError: ``--out`` or ``--images-per-shard``; ``data`` where the samples are no such images.
        OutputError: ``--out``: it cannot be written.
    """
    require(
        images_per_shard >= 1, "--images-per-shard", images_per_shard, "must be at least 1; 10000 is usual"
    )
    require(is_free(out), "--out", out, "is not empty; name a new folder")
    shape = data.sample_shape
    images = len(shape) == 3 and shape[0] in (1, 3) and not data.split("train").x.is_floating_point()
    reason = f"has samples of {list(shape)}, and shards hold images of 1 or 3 channels, stored as uint8"
    require(images, "data", type(data).__name__, f"{reason}; choose other data")
    written = {}
    try:
        with new_folder(out) as folder:
            for name in SPLITS:
                written[name] = 0
                for number, start in enumerate(range(0, data.num_samples(name), images_per_shard)):
                    _write(data, name, start, images_per_shard, folder.path / f"{name}-{number:06}.tar")
                    written[name] += 1
    except OSError as error:
        raise OutputError("--out", out, error) from error
    return written


def _write(data: TensorDataModule, name: str, start: int, count: int, path: Path) -> None:
    split = data.split(name)
    rows = slice(start, min(start + count, len(split)))
    labels = None if split.label is None else split.label[rows].tolist()
    kind = tarfile.USTAR_FORMAT
    with WholeFile(path) as file, tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for place, content in enumerate(_encoded(split.x[rows])):
            _add(archive, f"{start + place:09}.png", content)
            if labels is not None:
                _add(archive, f"{start + place:09}.cls", str(labels[place]).encode())


def _encoded(x: Tensor) -> Iterator[bytes]:
    """Images uint8 [N, C, H, W] as PNG files."""
    for image in x.numpy():
        file = io.BytesIO()
        plain = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        Image.fromarray(plain).save(file, "png")
        yield file.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # of no time and nobody: the same on every day and machine
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))

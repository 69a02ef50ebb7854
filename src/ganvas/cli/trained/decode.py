"""``ganvas decode F.gvq [RUN] --out DIR``: the pictures of a file of codes that ``ganvas encode`` wrote.

Without RUN the run is found by the hash of its weights, which the file holds.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import (
    Parser,
    add_run,
    check_new_folder,
    check_num,
    check_out,
    named_run,
    writing,
)
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.files.write import WholeFile, new_folder
from ganvas.modality.drawing.files import check_size, save_into, to_image

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.cli.trained.coded.model import CodedModel, Pixels
    from ganvas.codec.codes import Decoded
    from ganvas.codec.container import Container

_DIGITS = 6  # of the names of pictures
_MEND = "name the RUN that wrote it, or a whole file that ganvas encode wrote"


def run(argv: Sequence[str]) -> int:
    """Writes the pictures: what the codes decode to, or of a lossless file the originals, to the bit."""
    arguments = decode_parser().parse_args(list(argv))
    out = _check_out(arguments)
    found = decode(arguments, out)
    _write_arrays(out, found) if out.suffix == ".npz" else _write_folder(out, found)
    say(out)
    return 0


@dataclass(frozen=True)
class Read:
    """What was in a file.

    Attributes:
        pictures: uint8 [C, H, W] each, made one after the other.
        label: int64 [n], one more than the last class for "no class"; None where the file has none.
    """

    pictures: Iterator[Pixels]
    label: Tensor | None


def decode_parser() -> Parser:
    """The command's arguments; ``ganvas.decode`` fills them in itself."""
    parser = Parser(prog="ganvas decode", description=__doc__)
    parser.add_argument("file", metavar="FILE", type=Path, help="F.gvq")
    add_run(parser, "decode", nargs="?")
    parser.add_argument(
        "--out",
        required=True,
        help="a new folder of 000000.png and so on; F.npz: images uint8 [N, H, W, C] of one size, labels "
        "int64 [N] where the file has some",
    )
    parser.add_argument("--overwrite", action="store_true", help="write over an F.npz that is there")
    parser.add_argument("--batch-size", type=int, default=256, help="tiles that are decoded at a time")
    return parser


def decode(arguments: argparse.Namespace, out: Path | None) -> Read:
    """Reads the file; all that can be wrong with it is found before the first picture.

    Args:
        out: where the pictures are to be written.
    """
    check_num(arguments.batch_size, "--batch-size")

    from ganvas.codec.coder import require_constriction
    from ganvas.codec.container import read_container

    require_constriction()
    file = read_container(arguments.file)
    _check_fits(file, out)
    model = _model(arguments, file)
    found = _decoded(model, file, arguments.file)
    return Read(_pictures(model, file, found, arguments.batch_size), found.label)


def _check_out(arguments: argparse.Namespace) -> Path:
    out = Path(arguments.out)
    if out.suffix == ".npz":
        check_out(out, (".npz",))
        rule = "is there already; --overwrite writes over it, or name another"
        require(arguments.overwrite or not out.exists(), "--out", out, rule)
        return out
    require(
        not arguments.overwrite, "--overwrite", True, "is of an F.npz, and --out is a folder; leave it out"
    )
    check_new_folder(out)
    return out


def _check_fits(file: Container, out: Path | None) -> None:
    """Raises OptionError where what the file says cannot be written so, or be held."""
    from ganvas.functional.memory import require_memory

    if out is not None and out.suffix == ".npz":
        rule = "is an array of images of one size, and the file holds several; name a folder"
        require(len(set(file.sizes)) == 1, "--out", out, rule)
    elif out is not None:
        rule = f"is a folder of PNGs, and images of {file.channels} channels are none; name an F.npz"
        require(file.channels in (1, 3), "--out", out, rule)
        for height, width in file.sizes:
            check_size(".png", width, height, option="--out", value=out)
    height, width = file.tile or max(file.sizes)
    is_kept = file.residuals or out is None or out.suffix == ".npz"
    pixels = file.channels * height * width if is_kept else 0
    needed = file.images * (16 * file.layout.length + 2 * pixels)
    require_memory("FILE", f"{file.images:,} images", needed, "their codes and pixels")


def _model(arguments: argparse.Namespace, file: Container) -> CodedModel:
    from ganvas.cli.trained.coded.find import find_by_hash
    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.run.load import load_run

    if arguments.run is None:
        found = find_by_hash(file.model, Path(arguments.output_dir), arguments.file)
        say(f"{arguments.file}: {found.path} wrote it", error=True)
        arguments.run = str(found.path)
    folder, allow = named_run(arguments)
    recipe, data, _ = load_run(folder, allow=allow)
    return CodedModel(recipe, data, folder.path)


def _decoded(model: CodedModel, file: Container, path: Path) -> Decoded:
    from ganvas.codec.codes import decode_codes
    from ganvas.codec.container import Coder

    has_prior = file.coder is Coder.PRIOR
    digest = (model.hash_with_prior if has_prior else model.hash) or model.hash
    rule = f"was written by another model: {file.model.hex()}, that of {model.place} is {digest.hex()}"
    require(digest == file.model, "FILE", path, f"{rule}; {_MEND}")
    tile, channels = model.tile, model.shape[0]
    fits = file.tile == tile and file.channels == channels
    rule = f"holds images of {file.channels} channels, tiles {file.tile}; the model takes {list(model.shape)}"
    require(fits, "FILE", path, f"{rule}; {_MEND}")
    try:
        return decode_codes(
            file,
            layout=model.layout_like(file.layout),
            model=digest,
            prior=model.prior if has_prior else None,
            reconstruct=model.decode,
        )
    except OptionError:
        raise
    except ValueError as error:
        raise OptionError("FILE", path, f"{error}; {_MEND}") from error


def _pictures(model: CodedModel, file: Container, found: Decoded, batch_size: int) -> Iterator[Pixels]:
    """uint8 [C, H, W] each."""
    import numpy as np

    from ganvas.codec import tiles

    start = 0
    ready: Any = None  # decoded tiles that no picture has had yet
    for size in found.sizes:
        count = tiles.count(size, file.tile)
        if found.images is not None:
            yield tiles.join(found.images[start : start + count].numpy(), size)
            start += count
            continue
        while ready is None or len(ready) < count:
            part = model.decode_pixels(found.codes[start : start + batch_size])
            ready = part if ready is None else np.concatenate([ready, part])
            start += batch_size
        yield tiles.join(ready[:count], size)
        ready = ready[count:]


def _write_folder(out: Path, found: Read) -> None:
    import torch

    with writing(out), new_folder(out) as shop:
        for number, picture in enumerate(found.pictures):
            content = io.BytesIO()
            save_into(content, ".png", to_image(torch.from_numpy(picture)))
            shop.write(f"{number:0{_DIGITS}}.png", content.getvalue())


def _write_arrays(out: Path, found: Read) -> None:
    import numpy as np

    arrays = {"images": np.stack([picture.transpose(1, 2, 0) for picture in found.pictures])}
    if found.label is not None:
        arrays["labels"] = found.label.numpy()
    with writing(out), WholeFile(out) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

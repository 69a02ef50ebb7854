"""``ganvas decode F.gvq [RUN] --out DIR``: the pictures, sounds or texts of a file of codes.

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
from ganvas.modality.drawing.files import check_size

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.codec.codes import Decoded
    from ganvas.codec.container import Container
    from ganvas.modality.interface import Modality

_DIGITS = 6  # of the names of pictures
_MEND = "name the RUN that wrote it, or a whole file that ganvas encode wrote"


def run(argv: Sequence[str]) -> int:
    """Writes what the codes decode to, or of a lossless file the originals, to the bit."""
    arguments = decode_parser().parse_args(list(argv))
    out = _check_out(arguments)
    found = decode(arguments, out)
    if out.suffix == ".npz":
        _write_arrays(out, found)
    elif out.suffix:
        with writing(out), WholeFile(out) as one:
            found.modality.write(one, out.suffix, next(found.samples))
    else:
        _write_folder(out, found)
    say(out)
    return 0


@dataclass(frozen=True)
class Read:
    """What was in a file.

    Attributes:
        samples: each as it is stored, e.g. uint8 [C, H, W], made one after the other.
        modality: what they are.
        label: int64 [n], one more than the last class for "no class"; None where the file has none.
    """

    samples: Iterator[Tensor]
    modality: Modality
    label: Tensor | None


def decode_parser() -> Parser:
    """The command's arguments; ``ganvas.decode`` fills them in itself."""
    parser = Parser(prog="ganvas decode", description=__doc__)
    parser.add_argument("file", metavar="FILE", type=Path, help="F.gvq")
    add_run(parser, "decode", nargs="?")
    parser.add_argument(
        "--out",
        required=True,
        help="a new folder of 000000.png (.wav, .txt) and so on; F.png, F.wav, F.flac, F.txt: the only one; "
        "F.npz: images uint8 [N, H, W, C] (or as they are stored) of one size, labels int64 [N] where the "
        "file has some",
    )
    parser.add_argument("--overwrite", action="store_true", help="write over a file that is there")
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

    require_constriction(("command", "decode"))
    file = read_container(arguments.file)
    _check_fits(file, out)
    model = _model(arguments, file)
    found = _decoded(model, file, arguments.file)
    kind = model.modality
    if out is not None and out.suffix not in ("", ".npz"):
        rule = f"is one file, and {arguments.file} holds {len(found.sizes):,} {kind.plural}; name a folder"
        require(len(found.sizes) == 1, "--out", out, rule)
        rule = f"must end in {', '.join(kind.endings)} or .npz, or be a folder"
        require(out.suffix in kind.endings, "--out", out, rule)
    made = _pictures if kind.has_pixels else _clips
    return Read(made(model, file, found, arguments.batch_size), kind, found.label)


def _check_out(arguments: argparse.Namespace) -> Path:
    out = Path(arguments.out)
    if out.suffix and not out.is_dir():
        check_out(out, (out.suffix,))
        rule = "is there already; --overwrite writes over it, or name another"
        require(arguments.overwrite or not out.exists(), "--out", out, rule)
        return out
    require(not arguments.overwrite, "--overwrite", True, "is of a file, and --out is a folder; leave it out")
    check_new_folder(out)
    return out


def _check_fits(file: Container, out: Path | None) -> None:
    """Raises OptionError where what the file says cannot be written so, or be held."""
    from ganvas.functional.memory import require_memory

    if out is not None and out.suffix == ".npz":
        rule = "is an array of samples of one size, and the file holds several; name a folder"
        require(len(set(file.sizes)) == 1, "--out", out, rule)
    elif out is not None and file.tile is not None and file.tile[0] > 1:
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
    tile, channels = model.tile, model.channels
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


def _clips(model: CodedModel, file: Container, found: Decoded, batch_size: int) -> Iterator[Tensor]:
    """[..., T] each, as stored."""
    from ganvas.cli.trained.coded.clips import decode_clip
    from ganvas.codec import tiles

    start = 0
    for size in found.sizes:
        count = tiles.count(size, file.tile)
        yield decode_clip(model, found.codes[start : start + count], size[1], batch_size=batch_size)
        start += count


def _pictures(model: CodedModel, file: Container, found: Decoded, batch_size: int) -> Iterator[Tensor]:
    """uint8 [C, H, W] each."""
    import numpy as np
    import torch

    from ganvas.codec import tiles

    start = 0
    ready: Any = None  # decoded tiles that no picture has had yet
    for size in found.sizes:
        count = tiles.count(size, file.tile)
        if found.images is not None:
            yield torch.from_numpy(tiles.join(found.images[start : start + count].numpy(), size))
            start += count
            continue
        while ready is None or len(ready) < count:
            part = model.decode_pixels(found.codes[start : start + batch_size])
            ready = part if ready is None else np.concatenate([ready, part])
            start += batch_size
        yield torch.from_numpy(tiles.join(ready[:count], size))
        ready = ready[count:]


def _write_folder(out: Path, found: Read) -> None:
    ending = found.modality.endings[0]
    with writing(out), new_folder(out) as shop:
        for number, sample in enumerate(found.samples):
            content = io.BytesIO()
            found.modality.write(content, ending, sample)
            shop.write(f"{number:0{_DIGITS}}{ending}", content.getvalue())


def _write_arrays(out: Path, found: Read) -> None:
    import numpy as np
    import torch

    kind = found.modality
    arrays = {kind.plural: kind.stored_arrays(torch.stack(list(found.samples))).numpy()}
    if found.label is not None:
        arrays["labels"] = found.label.numpy()
    with writing(out), WholeFile(out) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

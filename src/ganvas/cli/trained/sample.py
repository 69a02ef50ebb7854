"""``ganvas sample RUN``: samples of a GAN or a prior as an image, an array (.npz), or a folder of files."""

from __future__ import annotations

import argparse
import itertools
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import check_num, named_run, writing
from ganvas.cli.trained.files.options import (
    Target,
    add_scale,
    add_target,
    check_scale,
    fitted,
    read_target,
)
from ganvas.cli.trained.from_latents import check_common, generator_parser
from ganvas.cli.trained.options.drawing import add_drawing, drawing_of
from ganvas.cli.trained.options.labels import add_label, labels_asked_for
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.modality.drawing.files import IMAGES as SHEETS
from ganvas.run.folder.usable import NEEDS

_LEAST = 4096  # bytes of a file on most disks

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.functional.next_code import Drawing
    from ganvas.modality.interface import Modality


def run(argv: Sequence[str]) -> int:
    """Writes ``--num`` samples; sample number i is a function of (--seed, i) and the weights alone."""
    parser = generator_parser("sample", __doc__, 64, "samples")
    parser.add_argument("--columns", type=int, help="images in a row of the grid; a square without")
    add_label(parser)
    add_drawing(parser)
    add_scale(parser, "small images of a grid come near to 64 pixels, and files of a folder stay as they are")
    add_target(parser)
    arguments = parser.parse_args(list(argv))
    check_common(arguments)
    num, columns, scale = arguments.num, arguments.columns, arguments.scale
    check_num(columns, "--columns")
    folder, allow = named_run(arguments)
    target = read_target(arguments, folder.path / f"samples-{num}-seed{arguments.seed}")
    what = "a folder" if target.is_folder else "an array" if target.ending == ".npz" else "no image"
    is_grid = not target.is_folder and target.ending in ("", *SHEETS)
    require(
        is_grid or columns is None,
        "--columns",
        columns,
        f"is of a grid (.png), and --out is {what}; leave it out",
    )
    check_scale(scale, target.ending)

    from ganvas.cli.trained.files.samples import check_samples, open_samples
    from ganvas.functional.memory import require_memory
    from ganvas.model.interface import DrawsCodes, FromLatents, Samples
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not isinstance(model, Samples):
        raise OptionError("RUN", folder.path, NEEDS["sample"].reason)
    kind: Modality = data.modality
    target = fitted(target, arguments, kind)
    labels = labels_asked_for(arguments.label, num, model, data)
    if labels is not None and columns is None:
        columns = -(-num // len(labels.unique()))  # a row a class
    drawing = drawing_of(arguments, model)
    pieces = _pieces(model, arguments, labels, drawing)
    first = next(pieces)
    if first[1] is not None:  # classes are drawn all at once, and a few lists of them are made
        require_memory("--num", num, 4 * first[1].itemsize * num, f"{num:,} classes")
    _require_disk(target, first[0], num, kind)
    if labels is None and isinstance(model, FromLatents | DrawsCodes):
        labels = model.sample_labels(num, arguments.seed)
    check_samples(target, first[0].shape[1:], labels, kind, num=num, columns=columns, scale=scale)
    channels = first[0].shape[1] if kind.has_pixels else 1
    if is_grid and channels not in (1, 3):
        say(f"{channels} channels are drawn as their mean, grey; --out F.npz keeps them", error=True)
    with writing(target.path), open_samples(target, num, kind, columns=columns, scale=scale) as file:
        for x, label in itertools.chain([first], pieces):
            file.append(x, label)
    say(target.path)
    return 0


def _require_disk(target: Target, x: Tensor, num: int, kind: Modality) -> None:
    """Raises OptionError (``--num``) where the disk does not hold ``num`` samples like x [B, ...]."""
    from ganvas.functional.memory import require_disk

    folder, each = target.path if target.is_folder else target.path.parent, float(_LEAST)
    if target.ending == ".npz":
        each = len(zlib.compress(kind.arrays(x).numpy().tobytes())) / len(x)
    elif not target.is_folder:
        return  # of a grid no row may have more pixels than its format takes
    require_disk("--num", num, int(num * each), folder, f"{num:,} samples")


def _pieces(
    model: Any, arguments: argparse.Namespace, labels: Tensor | None, drawing: Drawing | None
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Samples [B, ...] in [-1, 1] in their order, and their classes int64 [B] where they have some."""
    from ganvas.model.interface import DrawsCodes, FromLatents

    options = {"ema": not arguments.raw, "truncation": arguments.truncation}
    for start in range(0, arguments.num, arguments.batch_size):
        count = min(arguments.batch_size, arguments.num - start)
        if isinstance(model, DrawsCodes):
            known = labels if labels is not None else model.sample_labels(count, arguments.seed, start=start)
            if labels is not None:
                known = labels[start : start + count]
            yield (
                model.sample(count, arguments.seed, start=start, label=known, drawing=drawing, **options),
                known,
            )
            continue
        if labels is not None:
            z = model.latents(count, arguments.seed, start=start, truncation=arguments.truncation)
            asked = labels[start : start + count]
            yield model.generate(z, asked.to(z.device), **options), asked
            continue
        made = model.sample(count, arguments.seed, start=start, **options)
        is_labelled = isinstance(model, FromLatents)
        yield made, model.sample_labels(count, arguments.seed, start=start) if is_labelled else None

"""``ganvas pictures RUN --kind KIND``: how a prior over codes draws, as a sheet of images or as arrays."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ganvas.cli.arguments import Parser, check_num, check_out, named_run, run_parser
from ganvas.cli.trained.files.options import add_scale, check_scale
from ganvas.cli.trained.options.drawing import add_drawing, drawing_of
from ganvas.cli.trained.options.labels import add_label
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.modality.drawing.files import IMAGES
from ganvas.run.folder.usable import NEEDS

_TEMPERATURES = "0.5,0.7,0.85,1,1.2"
_MOST_TEMPERATURES = 32
_HALVES = ("upper", "lower", "left", "right")
_NUM = {"temperatures": 8, "order": 4, "complete": 8}
# Options that some kinds alone read.
_OF = {
    "temperatures": ("temperatures",),
    "temperature": ("order", "complete"),
    "label": ("temperatures", "order"),
    "split": ("complete",),
    "completions": ("complete",),
    "given": ("complete",),
}


def run(argv: Sequence[str]) -> int:
    """Writes a sheet, and says what its rows and columns are.

    temperatures: a row each, of the same random numbers and classes.
    order: of a masked prior, two rows a sample and a column a step: what stays, under grey where codes are
    still hidden, and what all that was drawn at the step decodes to. complete: a row a held-out image: the
    image, what its codes decode to, what is given of them, and completions.
    """
    arguments = _parser().parse_args(list(argv))
    temperatures = _check(arguments)
    folder, allow = named_run(arguments)
    kind, num = arguments.kind, arguments.num or _NUM[arguments.kind]
    out = arguments.out or folder.path / f"{kind}-{num}-seed{arguments.seed}.png"
    check_out(out, (*IMAGES, ".npz"))
    check_scale(arguments.scale, out.suffix)

    from ganvas.cli.pictures.kinds import complete, of_order, of_temperatures
    from ganvas.cli.trained.files.save import save_samples
    from ganvas.model.interface import DrawsCodes
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not isinstance(model, DrawsCodes):
        raise OptionError("RUN", folder.path, NEEDS["pictures"].reason)
    shape, modality = list(model.tokenizer.sample_shape), data.modality
    rule = f"its samples have shape {shape}, and pictures are of images; ganvas sample takes any run"
    require(modality.has_pixels, "RUN", folder.path, rule)
    drawing = drawing_of(arguments, model)
    if kind == "temperatures":
        sheet = of_temperatures(model, data, arguments, drawing, num, temperatures)
    elif kind == "order":
        sheet = of_order(model, data, arguments, drawing, num)
    else:
        sheet = complete(model, data, arguments, drawing, num)
    say(sheet.told)
    drawn = partial(modality.draw_rows, sheet.images, scale=arguments.scale)
    save_samples(out, modality, sheet.samples, drawn, sheet.others)
    return 0


def _parser() -> Parser:
    parser = run_parser("pictures", __doc__)
    parser.add_argument(
        "--kind",
        choices=tuple(_NUM),
        default="temperatures",
        help="temperatures: a row each (this); order: in which a masked prior fills images, step by step; "
        "complete: images of which a half is given",
    )
    parser.add_argument(
        "--num", type=int, help="samples in a row (8), samples of an order (4), images to complete (8)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (1)")
    parser.add_argument(
        "--temperatures", metavar="T[,T...]", help=f"of --kind temperatures ({_TEMPERATURES})"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="of --kind complete (test)")
    parser.add_argument("--given", choices=_HALVES, help="of --kind complete: the half that is given (upper)")
    parser.add_argument("--completions", type=int, help="of --kind complete: of each image (5)")
    add_label(parser)
    add_drawing(parser)
    parser.set_defaults(truncation=None)  # it is of latents
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    parser.add_argument(
        "--out", type=Path, help="F.png, F.webp, F.jpg: a sheet; F.npz: its images uint8, and their codes"
    )
    add_scale(parser)
    parser.add_argument("--batch-size", type=int, default=256, help="samples drawn at a time (256)")
    return parser


def _check(arguments: argparse.Namespace) -> list[float]:
    """The temperatures; raises OptionError where options do not fit the kind or their ranges."""
    for name, kinds in _OF.items():
        value = getattr(arguments, name)
        rule = f"is of --kind {' or '.join(kinds)}; leave it out"
        require(value is None or arguments.kind in kinds, f"--{name}", value, rule)
    for name in ("num", "completions", "batch_size"):
        check_num(getattr(arguments, name), f"--{name.replace('_', '-')}")
    text = arguments.temperatures or _TEMPERATURES
    found = []
    for word in text.split(","):
        try:
            found.append(float(word))
        except ValueError:
            found.append(math.nan)
    fits = all(math.isfinite(one) and one >= 0 for one in found) and len(found) <= _MOST_TEMPERATURES
    rule = f"must be at most {_MOST_TEMPERATURES} numbers of at least 0, as in {_TEMPERATURES}"
    require(fits, "--temperatures", text, rule)
    return found

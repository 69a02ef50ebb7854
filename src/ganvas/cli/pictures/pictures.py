"""``ganvas pictures RUN --kind KIND``: how a prior draws, as a sheet, or files of what its samples are.

Samples are images, sounds, texts, or of a kind of your own: drawn side by side, played or read one after
another, or a file each.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from ganvas.cli.arguments import Parser, check_num, named_run, run_parser
from ganvas.cli.trained.files.options import add_scale
from ganvas.cli.trained.options.drawing import add_drawing, drawing_of
from ganvas.cli.trained.options.labels import add_label
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.functional.code_places import ENDS, HALVES
from ganvas.run.folder.usable import NEEDS

_TEMPERATURES = "0.5,0.7,0.85,1,1.2"
_MOST_TEMPERATURES = 32
_NUM = {"temperatures": 8, "order": 4, "complete": 8}
# Options that some kinds alone read.
_OF = {
    "temperatures": ("temperatures",),
    "temperature": ("order", "complete"),
    "split": ("complete",),
    "completions": ("complete",),
    "given": ("complete",),
    "beginning": ("complete",),
}


def run(argv: Sequence[str]) -> int:
    """Writes a sheet, and says what its rows and columns are.

    temperatures: a row each, of the same random numbers and classes.
    order: of a masked prior, two rows a sample and a column a step: what stays, under grey (in silence) where
    codes are still hidden, and what all that was drawn at the step decodes to. complete: a row a held-out
    sample: itself, what its codes decode to, what is given of them, and completions.
    """
    arguments = _parser().parse_args(list(argv))
    temperatures = _check(arguments)

    from ganvas.cli.pictures.sheet import fitted_out, read_out

    out = read_out(arguments.out, arguments.scale)
    folder, allow = named_run(arguments)
    kind, num = arguments.kind, arguments.num or _NUM[arguments.kind]
    num = num if arguments.beginning is None else 1

    from ganvas.cli.pictures.completions import complete
    from ganvas.cli.pictures.kinds import of_order, of_temperatures
    from ganvas.cli.pictures.sheet import write_sheet
    from ganvas.cli.pictures.task import Task, require_shown
    from ganvas.model.interface import DrawsCodes
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not isinstance(model, DrawsCodes):
        raise OptionError("RUN", folder.path, NEEDS["pictures"].reason)
    task = Task(model, data, arguments, drawing_of(arguments, model), num)
    require_shown(task.kind, task.shape, folder.path)
    out = fitted_out(out, folder.path / f"{kind}-{num}-seed{arguments.seed}", task.kind, task.shape)
    if kind == "temperatures":
        sheet = of_temperatures(task, temperatures)
    else:
        sheet = of_order(task) if kind == "order" else complete(task)
    say(sheet.told)
    write_sheet(sheet, out, task.kind, arguments.scale)
    return 0


def _parser() -> Parser:
    parser = run_parser("pictures", __doc__)
    parser.add_argument(
        "--kind",
        choices=tuple(_NUM),
        default="temperatures",
        help="temperatures: a row each (this); order: in which a masked prior fills samples, step by step; "
        "complete: samples of which a half is given, or the beginning",
    )
    parser.add_argument(
        "--num", type=int, help="samples in a row (8), samples of an order (4), samples to complete (8)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (1)")
    parser.add_argument(
        "--temperatures", metavar="T[,T...]", help=f"of --kind temperatures ({_TEMPERATURES})"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="of --kind complete (test)")
    parser.add_argument(
        "--given",
        choices=(*HALVES, *ENDS),
        help="of --kind complete: the half that is given (of images upper; of sounds and texts first)",
    )
    parser.add_argument(
        "--beginning",
        metavar="TEXT",
        help="of --kind complete, instead of a half of --split: how a text begins; of sounds a file of it",
    )
    parser.add_argument("--completions", type=int, help="of --kind complete: of each sample (5)")
    add_label(parser)
    add_drawing(parser)
    parser.set_defaults(truncation=None)  # it is of latents
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    parser.add_argument(
        "--out",
        help="F.png, F.webp, F.jpg: a sheet; F.wav, F.txt: sounds or texts one after another; F.npz: its "
        "images uint8 (sounds int16, texts as symbols), and their codes; FOLDER/: a new one, a file each",
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
    begun = arguments.beginning is not None
    for name in ("num", "split", "given"):
        value = getattr(arguments, name)
        rule = "is of samples of a split, and --beginning gives one of your own; leave one of them out"
        require(value is None or not begun, f"--{name}", value, rule)
    rule = "is of --kind temperatures or order, and of --beginning; samples of a split have their own classes"
    fits = arguments.label is None or arguments.kind != "complete" or begun
    require(fits, "--label", arguments.label, f"{rule}; leave it out")
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

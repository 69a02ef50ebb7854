"""``ganvas plot RUN ... --out curves.png``: losses and metrics against examples seen.

With --rate-distortion: bits an image against PSNR, of codes and of priors over them, beside image files.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import Parser, add_own_code, add_places, check_out, writing
from ganvas.errors import require
from ganvas.files.text import one_line, say

if TYPE_CHECKING:
    from ganvas.compare.curves import Curve

_MOST_PANELS = 12
_USUAL_PANELS = 6
_MOST_POINTS = 2000  # of a line


def run(argv: Sequence[str]) -> int:
    """Draws one panel a tag, losses first, one line a run; seeds of one variant share a colour.

    Tags that are the same curve share a panel; what has one point is written as a number.
    """
    arguments = _parser().parse_args(list(argv))
    _check(arguments)
    if arguments.rate_distortion:
        from ganvas.cli.pictures.rate_distortion import plot_rates

        return plot_rates(arguments)
    out = Path(arguments.out or "curves.png")
    check_out(out, (".png", ".pdf", ".svg"))

    from ganvas.compare.curves import apart, equal_curves, read_curves, thinned
    from ganvas.compare.find import find_runs
    from ganvas.compare.show.plot import draw, require_matplotlib
    from ganvas.compare.show.svg import Line
    from ganvas.compare.variants import group
    from ganvas.run.folder.usable import NEEDS

    folders = find_runs(arguments.run, Path(arguments.output_dir), need=NEEDS["plot"])
    require_matplotlib()
    variants, labels = group([folder.read_run() for folder in folders])
    runs, notes = [], []
    for folder, variant in zip(folders, variants, strict=True):
        said: list[str] = []
        curves = read_curves(folder.path, said)
        if not curves:
            said.append("metrics.jsonl holds no curves; left out")
        notes += [f"{folder.path.name}: {word}" for word in said]
        runs.append((folder.path.name, variant, curves))
    tags = _tags(arguments.tags, [curves for _, _, curves in runs], arguments.run)
    every = [curves for _, _, curves in runs]
    drawn, single = apart([{tag: curves[tag] for tag in tags if tag in curves} for curves in every])
    panels = {
        title: [
            Line(name, i, thinned(curves[tag], _MOST_POINTS)) for name, i, curves in runs if tag in curves
        ]
        for title, tag in equal_curves(every, [tag for tag in tags if tag in drawn]).items()
    }
    numbers = [
        f"{tag}: {curves[tag][1][0]:.5g} at {curves[tag][0][0]} examples, {name}"
        for tag in single
        for name, _, curves in runs
        if tag in curves
    ]
    with writing(out):
        draw(panels, labels, out, numbers)
    for note in notes:
        say(one_line(note), error=True)
    say(out)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="ganvas plot", description=__doc__)
    parser.add_argument("run", metavar="RUN", nargs="+", help="runs, globs over them, or folders of runs")
    parser.add_argument(
        "--out", help="a .png, .pdf or .svg (./curves.png; ./rate_distortion.png, none with --table alone)"
    )
    parser.add_argument(
        "--tags", metavar="TAG", nargs="+", help="what to draw, e.g. loss/generator evaluation/fid"
    )
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument(
        "--rate-distortion",
        action="store_true",
        help="instead, bits an image against PSNR: of a VQ-VAE's codes, or of codes under a prior, beside "
        "JPEG, JPEG 2000, WebP and AVIF of the same images",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="of --rate-distortion (test)")
    parser.add_argument("--num", type=int, help="of --rate-distortion: images, the first ones (all)")
    parser.add_argument("--table", metavar="FILE", help="of --rate-distortion: its numbers, a .csv or .json")
    add_own_code(parser)
    add_places(parser)
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Raises OptionError at an option that what is drawn passes over."""
    if arguments.rate_distortion:
        tags = arguments.tags
        require(tags is None, "--tags", " ".join(tags or ()), "is of curves over examples; leave it out")
        return
    for name in ("split", "num", "table", "config_dir", "allow_imports", "allow_places"):
        value = getattr(arguments, name)
        given = value not in (None, [], False)
        shown = " ".join(value) if isinstance(value, list) else "" if value is True else value
        reason = "is of --rate-distortion, which reads weights; leave it out"
        require(not given, f"--{name.replace('_', '-')}", shown, reason)


def _tags(asked: Sequence[str] | None, runs: Sequence[Mapping[str, Curve]], named: Any) -> list[str]:
    """The tags asked for, or a sensible few: of those that are curves, and as many that are a point.

    Raises:
        OptionError: ``--tags``: no run has one, or they are too many; ``RUN``: there are no curves.
    """
    from ganvas.compare.curves import apart, sensible_tags

    there = sorted({tag for curves in runs for tag in curves})
    reason = "has no curves in metrics.jsonl; a run with the callback record writes them"
    require(bool(there), "RUN", " ".join(named), reason)
    if asked is None:
        return [tag for some in apart(runs) for tag in sensible_tags(some, _USUAL_PANELS)]
    tags = list(dict.fromkeys(asked))
    for tag in tags:
        near = difflib.get_close_matches(tag, there, n=3, cutoff=0.4) or there[:8]
        require(tag in there, "--tags", tag, f"no run has this curve; there are: {', '.join(near)}")
    require(len(tags) <= _MOST_PANELS, "--tags", f"{len(tags)} tags", f"must be at most {_MOST_PANELS}")
    return tags

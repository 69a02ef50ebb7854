"""``ganvas plot RUN ... --out curves.png``: losses and metrics against examples seen.

Seeds of one variant are their mean in a band, its 95 % interval (Student's t).
With --rate-distortion: bits an image against PSNR, of codes and of priors over them, beside image files.
With --modes: samples of toy data over the true modes.
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
    from ganvas.compare.show.lines import Recorded

_MOST_PANELS = 12
_USUAL_PANELS = 6
_MOST_POINTS = 2000  # of a line


def run(argv: Sequence[str]) -> int:
    """Draws one panel a tag, losses first, one line a variant, its seeds' mean with a band.

    Tags that are the same curve share a panel; what has one point is written as a number.
    """
    arguments = _parser().parse_args(list(argv))
    _check(arguments)
    if arguments.rate_distortion:
        from ganvas.cli.pictures.rate_distortion import plot_rates

        return plot_rates(arguments)
    if arguments.modes:
        from ganvas.cli.pictures.modes import plot_modes

        return plot_modes(arguments)
    out = Path(arguments.out or "curves.png")
    check_out(out, (".png", ".pdf", ".svg"))

    from ganvas.compare.curves import apart, read_curves
    from ganvas.compare.find import find_runs
    from ganvas.compare.show.lines import SPEED, Recorded, make_charts
    from ganvas.compare.show.plot import draw, require_matplotlib
    from ganvas.compare.variants import group
    from ganvas.run.folder.usable import NEEDS

    folders = find_runs(arguments.run, Path(arguments.output_dir), need=NEEDS["plot"])
    require_matplotlib(("command", "plot"))
    variants, labels = group([folder.read_run() for folder in folders])
    runs, notes = [], []
    for folder, variant in zip(folders, variants, strict=True):
        said: list[str] = []
        curves = read_curves(folder.path, said)
        if not curves:
            said.append("metrics.jsonl holds no curves; left out")
        notes += [f"{folder.path.name}: {word}" for word in said]
        runs.append(Recorded(folder.path.name, variant, curves))
    every = [run.curves for run in runs]
    tags = _tags(arguments.tags, every, arguments.run)
    drawn, single = apart([{tag: curves[tag] for tag in tags if tag in curves} for curves in every])
    by_time = arguments.against == "time"
    charts = make_charts(
        runs,
        [tag for tag in tags if tag in drawn],
        labels,
        most_points=_MOST_POINTS,
        by_time=by_time,
        seeds=arguments.seeds,
        notes=notes,
    )
    if by_time:
        timed = any(SPEED in curves for curves in every)
        require(timed, "--against", "time", f"no run has {SPEED}, which tells it; leave it out")
    numbers = [one for tag in single for one in _said(runs, tag, labels, arguments.seeds)]
    with writing(out):
        draw(charts, labels, out, numbers)
    for note in notes:
        say(one_line(note), error=True)
    say(out)
    return 0


def _said(runs: Sequence[Recorded], tag: str, labels: Sequence[str], seeds: bool) -> list[str]:
    """Values of a tag of one point: of each run, or of several seeds at one time their mean and interval."""
    from ganvas.compare.show.table import mean_and_half
    from ganvas.compare.statistics import summarize

    said = []
    for variant, label in enumerate(labels):
        own = [run for run in runs if run.variant == variant and tag in run.curves]
        at = {run.curves[tag][0][0] for run in own}
        if len(own) > 1 and len(at) == 1:
            values = mean_and_half(summarize([run.curves[tag][1][0] for run in own]))
            said.append(f"{tag}: {values} at {at.pop()} examples, {label}, {len(own)} seeds")
            own = own if seeds else []
        for run in own:
            (examples, *_), (value, *_) = run.curves[tag]
            said.append(f"{tag}: {value:.5g} at {examples} examples, {run.name}")
    return said


def _parser() -> Parser:
    parser = Parser(prog="ganvas plot", description=__doc__)
    parser.add_argument("run", metavar="RUN", nargs="+", help="runs, globs over them, or folders of runs")
    parser.add_argument(
        "--out",
        help="a .png, .pdf or .svg (./curves.png; ./modes.png; ./rate_distortion.png, none with --table "
        "alone)",
    )
    parser.add_argument(
        "--tags", metavar="TAG", nargs="+", help="what to draw, e.g. loss/generator evaluation/fid"
    )
    parser.add_argument(
        "--against",
        choices=("examples", "time"),
        help="the x axis: examples seen, or training time by the speed that runs record (examples)",
    )
    parser.add_argument("--seeds", action="store_true", help="every run, too, behind the mean of its variant")
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument(
        "--rate-distortion",
        action="store_true",
        help="instead, bits an image against PSNR: of a VQ-VAE's codes, or of codes under a prior, beside "
        "JPEG, JPEG 2000, WebP and AVIF of the same images",
    )
    parser.add_argument(
        "--modes",
        action="store_true",
        help="instead, samples of GANs on toy data over the true modes, captured and missed ones marked",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="of --rate-distortion (test)")
    parser.add_argument(
        "--num",
        type=int,
        help="of --rate-distortion: images, the first ones (all); of --modes: samples (2000)",
    )
    parser.add_argument(
        "--stoi",
        action="store_true",
        help="of --rate-distortion of speech: how well it is understood, too (STOI; needs pystoi)",
    )
    parser.add_argument("--table", metavar="FILE", help="of --rate-distortion: its numbers, a .csv or .json")
    add_own_code(parser)
    add_places(parser)
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Raises OptionError at an option that what is drawn passes over."""
    kinds = [name for name in ("rate_distortion", "modes") if getattr(arguments, name)]
    both = "draw two pictures, and a command writes one; leave one out"
    require(len(kinds) < 2, "--modes", "", f"and --rate-distortion {both}")
    kind = kinds[0] if kinds else "curves"
    for name, (readers, reason) in _READ_BY.items():
        value = getattr(arguments, name)
        given = value not in (None, [], False)
        shown = " ".join(value) if isinstance(value, list) else "" if value is True else value
        require(not given or kind in readers, f"--{name.replace('_', '-')}", shown, f"{reason}; leave it out")


_OF_CURVES = ({"curves"}, "is of curves over examples")
_OF_RATES = ({"rate_distortion"}, "is of --rate-distortion, which reads weights")
_OF_WEIGHTS = ({"rate_distortion", "modes"}, "is of --rate-distortion and --modes, which read weights")
# Option -> what reads it, and what to say to who gives it to another.
_READ_BY: dict[str, tuple[set[str], str]] = {
    **dict.fromkeys(("tags", "against", "seeds"), _OF_CURVES),
    **dict.fromkeys(("split", "table", "stoi"), _OF_RATES),
    **dict.fromkeys(("num", "config_dir", "allow_imports", "allow_places"), _OF_WEIGHTS),
}


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

"""``ganvas compare RUN RUN ...``: metrics of one protocol over seeds, ranked, with how sure they are.

Runs of several kinds (GANs and VQ-VAEs) make one table for each set that shares metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.cli.arguments import Failures, Parser, check_out
from ganvas.cli.terminal import console, print_table, print_wrapped
from ganvas.files.text import say, say_page
from ganvas.files.write import write_text

if TYPE_CHECKING:
    from ganvas.compare.comparison import Comparison

_STDOUT = "-"


def run(argv: Sequence[str]) -> int:
    """Prints a table, and writes the files that are asked for."""
    arguments = _parser().parse_args(list(argv))
    outputs = {"--csv": arguments.csv, "--json": arguments.json, "--html": arguments.html}
    for option, out in outputs.items():
        if out is not None and out != _STDOUT:
            check_out(Path(out), (f".{option[2:]}",), option)

    from ganvas.compare.find import find_runs
    from ganvas.compare.protocol import parse_filters
    from ganvas.compare.rows import read_metrics
    from ganvas.compare.sets import compare
    from ganvas.compare.show.table import as_csv, as_json

    filters = parse_filters(arguments.protocol)
    folders = find_runs(arguments.run, Path(arguments.output_dir), at_least=1 if arguments.no_rank else 2)
    results = compare(
        [read_metrics(folder) for folder in folders],
        by=arguments.by,
        mode=arguments.mode,
        filters=filters,
        rank=not arguments.no_rank,
    )
    if arguments.json == _STDOUT:
        say_page(as_json(*results))
    else:
        for number, result in enumerate(results):
            _print(result, several=len(results) > 1, last=number == len(results) - 1)
    makers = {"--csv": as_csv, "--json": as_json}
    if arguments.html is not None:
        from ganvas.compare.show.page import page

        makers["--html"] = page
    failures = Failures()
    for option, out in outputs.items():
        if out is None or out == _STDOUT:
            continue
        text = makers[option](*results)
        with failures.told(Path(out), option):
            write_text(out, text)
            if arguments.json != _STDOUT:
                say(out)
    return failures.code


def _parser() -> Parser:
    parser = Parser(prog="ganvas compare", description=__doc__)
    parser.add_argument(
        "run", metavar="RUN", nargs="+", help="runs, globs over them, or folders of runs such as a sweep's"
    )
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument(
        "--by", metavar="METRIC", help="what ranks (the first of fid, kid, psnr ... there is)"
    )
    parser.add_argument(
        "--mode", choices=("min", "max"), help="whether less or more is better, where not known"
    )
    parser.add_argument(
        "--protocol",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="only metrics measured so, e.g. features.name=pixels; may be given several times",
    )
    parser.add_argument(
        "--no-rank",
        action="store_true",
        help="side by side without ranks, also under different protocols, without metrics, one run alone",
    )
    parser.add_argument("--csv", metavar="FILE")
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        const=_STDOUT,
        help="without FILE (give it last): print JSON alone",
    )
    parser.add_argument("--html", metavar="FILE", help="one page with table, samples, curves and protocol")
    return parser


def _print(result: Comparison, *, several: bool, last: bool) -> None:
    """The table for people; metrics and keys of the protocol beyond what fits are in the files."""
    from ganvas.compare.comparison import protocol_values
    from ganvas.compare.show.table import (
        against_above,
        examples,
        heading,
        mean_and_half,
        protocol_lines,
        title,
    )

    metrics = result.metrics[: 2 if console().width < 120 else 3]
    rank, above = (["rank"], ["against the rank above"]) if result.ranked else ([], [])
    columns = [*rank, "variant", "seeds", "examples", *(heading(result, name) for name in metrics)]
    rows = []
    for one in result.variants:
        cells = [one.label, str(len(one.members)), examples(one)]
        cells += [mean_and_half(one.summaries.get(name)) for name in metrics]
        if result.ranked:
            cells = [str(one.rank or "-"), *cells, against_above(one)]
        rows.append([*cells, *protocol_values(one, result.differing)])
    columns += [*above, *result.differing]
    print_table(columns, rows, title=title(result) if several else None, fold=True)
    hidden = result.metrics[len(metrics) :]
    more = [f"Also there, in --csv, --json and --html: {', '.join(hidden)}."] if hidden else []
    for note in (*result.notes, *more):
        print_wrapped(note)
    lines = protocol_lines(result)
    # How each metric is computed (ddof, dtype, border ...) is the same for ganvas' metrics of one version.
    short = [(key, value) for key, value in lines if not key.startswith("metrics.") or ".features." in key]
    text = ", ".join(f"{key}={value}" for key, value in short)
    rest = (
        f"; {len(lines) - len(short)} more keys are in --json and --html" if len(short) < len(lines) else ""
    )
    if lines:
        print_wrapped(f"protocol: {text}{rest}", 2000)
    if last:
        print_wrapped(
            "mean ± half of the 95 % interval over seeds (Student's t); neighbours by Welch's test at 5 %"
        )
    else:
        say()

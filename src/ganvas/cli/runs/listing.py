"""``ganvas runs ls``: the runs under a folder, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser
from ganvas.cli.terminal import format_metrics, print_table
from ganvas.compare.find import find_runs
from ganvas.files.remove import clear_removed
from ganvas.files.text import say, say_json
from ganvas.run.folder.describe import describe
from ganvas.run.folder.run_folder import RUN_DEPTH, all_runs


def run(argv: Sequence[str]) -> int:
    """Prints a table, or with ``--json`` a list of objects."""
    parser = Parser(prog="ganvas runs ls", description=__doc__)
    parser.add_argument(
        "run", metavar="RUN", nargs="*", help="these alone: runs, globs over them, folders of runs"
    )
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(list(argv))
    place = Path(arguments.output_dir)
    clear_removed(place, RUN_DEPTH)  # of a ganvas runs rm that was killed
    rows = [describe(one) for one in (find_runs(arguments.run, place) if arguments.run else all_runs(place))]
    if arguments.json:
        say_json(rows, indent=2)
        return 0
    if not rows:
        say(f"there is no run under {arguments.output_dir}; ganvas train makes one")
        return 0
    shown = (
        (
            row["run"],
            row["state"],
            str(row["examples_seen"]),
            format_metrics(row["metrics"], row["protocols"], row["main_metric"]),
        )
        for row in rows
    )
    print_table(("run", "state", "examples", "metrics"), shown, keep_first=True)
    return 0

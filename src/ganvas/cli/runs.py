"""``ganvas runs ls``: the runs under a folder, oldest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import Parser
from ganvas.run.folder.lock import is_held
from ganvas.run.folder.run_folder import RunFolder, all_runs


def run(argv: Sequence[str]) -> int:
    """Prints a table, or with ``--json`` a list of objects."""
    parser = Parser(prog="ganvas runs", description=__doc__)
    parser.add_argument("what", choices=("ls",))
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(list(argv))
    rows = [describe(folder) for folder in all_runs(Path(arguments.output_dir))]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print(f"there is no run under {arguments.output_dir}; ganvas train makes one")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("run", "state", "examples", "metrics")
    table.columns[0].no_wrap = True  # a name is there to be copied
    for row in rows:
        shown = (row["run"], row["state"], str(row["examples_seen"]), format_metrics(row["metrics"]))
        table.add_row(*map(printable, shown))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0


def format_metrics(metrics: dict[str, Any]) -> str:
    """The metrics that a table has room for; the others are in status.json and evaluations.jsonl."""
    metrics = {name: value for name, value in metrics.items() if value is not None}
    shown = [name for name in ("fid", "psnr", "perplexity", "codes_used") if name in metrics]
    return ", ".join(f"{name} {metrics[name]:.4g}" for name in shown or list(metrics)[:2])


def printable(text: str, longest: int = 200) -> Any:
    """What a run says of itself, as one short line: no markup and nothing that moves a terminal's cursor."""
    from rich.text import Text

    return Text("".join(letter if letter.isprintable() else "?" for letter in text[:longest]))


def describe(folder: RunFolder) -> dict[str, Any]:
    """One run in a line; a broken folder says so in ``state``."""
    status = folder.read_status()
    choices = folder.choices(status)
    absent = not (folder.path / "status.json").exists()  # killed before it could say anything
    state = status.get("state", "killed" if absent else "broken") if choices else "broken"
    if state == "running" and not is_held(folder.path):
        state = "killed"  # it says that it runs, and no process does
    return {
        "run": folder.path.name,
        "folder": str(folder.path),
        "state": state,
        "examples_seen": status.get("examples_seen", 0),
        "model": choices.get("model"),
        "data": choices.get("data"),
        "metrics": status.get("metrics") or {},
    }

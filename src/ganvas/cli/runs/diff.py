"""``ganvas runs diff A B``: options and metrics in which two runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import Parser
from ganvas.cli.terminal import print_table
from ganvas.files.text import say, say_json
from ganvas.run.folder.differences import differences
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.usable import find_usable


def run(argv: Sequence[str]) -> int:
    """Prints two tables, or with ``--json`` an object; 0 also where nothing differs."""
    parser = Parser(prog="ganvas runs diff", description=__doc__)
    parser.add_argument("first", metavar="A", help="a RUN")
    parser.add_argument("second", metavar="B", help="another RUN")
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(list(argv))
    output_dir = Path(arguments.output_dir)
    pair = [find_usable(name, output_dir) for name in (arguments.first, arguments.second)]
    parts = {"options": config_differences(*pair), "metrics": metric_differences(*pair)}
    if arguments.json:
        rows = {
            what: [dict(zip(("key", "a", "b"), row)) for row in differing]
            for what, differing in parts.items()
        }
        say_json({"a": str(pair[0].path), "b": str(pair[1].path), **rows}, indent=2)
        return 0
    for what, differing in parts.items():
        if not differing:
            say(f"{what}: no difference")
            continue
        columns = (what, pair[0].path.name, pair[1].path.name)
        print_table(columns, [(key, _text(a), _text(b)) for key, a, b in differing], keep_first=True)
    return 0


def config_differences(first: RunFolder, second: RunFolder) -> list[tuple[str, Any, Any]]:
    """(key, value in the first, value in the second) of the options that differ; an absent one is None.

    Where each run lies makes no difference.
    """
    old, new = (_without_folder(folder.read_run()["config"]) for folder in (first, second))
    return list(differences(old, new))


def metric_differences(first: RunFolder, second: RunFolder) -> list[tuple[str, Any, Any]]:
    """The same of examples seen and the metrics in status.json."""
    old, new = (
        {"examples_seen": status.get("examples_seen", 0), **(status.get("metrics") or {})}
        for status in (first.read_status(), second.read_status())
    )
    return list(differences(old, new))


def _without_folder(config: dict[str, Any]) -> Any:
    """The config with a placeholder wherever it names the run's own folder."""
    own = str((config.get("paths") or {}).get("run_dir"))

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [replaced(inner) for inner in value]
        return value.replace(own, "<run>") if isinstance(value, str) else value

    return replaced(config)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict) and "_target_" in value:
        return str(value["_target_"]).rpartition(".")[2]
    return f"{value:.6g}" if isinstance(value, float) else str(value)

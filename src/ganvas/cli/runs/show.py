"""``ganvas runs show RUN``: one run, in a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import Parser
from ganvas.cli.terminal import format_duration
from ganvas.files.text import one_line, say, say_json
from ganvas.run.folder.describe import describe
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.usable import find_usable

_UNITS = ("B", "kB", "MB", "GB", "TB")


def run(argv: Sequence[str]) -> int:
    """Prints lines, or with ``--json`` an object."""
    parser = Parser(prog="ganvas runs show", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run's folder, the beginning of its name, or latest")
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(list(argv))
    told = tell(find_usable(arguments.run, Path(arguments.output_dir)))
    if arguments.json:
        say_json(told, indent=2)
        return 0
    for title, text in _lines(told):
        say(f"{title:14} {one_line(text, 2000)}".rstrip())
    return 0


def tell(folder: RunFolder) -> dict[str, Any]:
    """What a run is, did and left.

    Raises:
        OptionError: ``RUN``: its run.yaml cannot be read.
    """
    run, status = folder.read_run(), folder.read_status()
    noted = run.get("ganvas")
    origin: dict[str, Any] = noted if isinstance(noted, dict) else {}
    environment = origin.get("environment")
    kept = ("started", "updated", "seconds", "error", "rollbacks", "best", "findings", "write_errors")
    return {
        **describe(folder),
        **{name: status.get(name) for name in kept},
        "seed": run["config"].get("seed"),
        "overrides": origin.get("overrides") or [],
        "resumed": [row for row in _list(origin.get("resumed")) if isinstance(row, dict)],
        "versions": environment.get("versions") if isinstance(environment, dict) else None,
        "checkpoints": sorted(path.name for path in folder.checkpoints.glob("*.ckpt")),
        "bytes": bytes_of(folder.path),
    }


def bytes_of(folder: Path) -> int:
    """Of all files in it; a link counts as itself."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def format_bytes(count: float) -> str:
    """``812 B``, ``4.2 MB``; a kB has 1,000 bytes."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} B" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", told["folder"]
    seconds = told["seconds"]
    spent = f", trained for {format_duration(seconds)}" if isinstance(seconds, int | float) else ""
    yield "state", f"{told['state']}, {told['examples_seen']:,} examples seen{spent}"
    if told["error"]:
        yield "error", str(told["error"])
    yield "started", f"{told['started'] or 'not known'}; last change {told['updated'] or 'not known'}"
    yield "model, data", f"{told['model']} on {told['data']}, seed {told['seed']}"
    yield "options", " ".join(map(str, _list(told["overrides"]))) or "none of the command line's"
    for row in told["resumed"]:
        words = " ".join(map(str, _list(row.get("overrides")))) or "no options"
        yield "resumed", f"at {row.get('examples_seen')} examples with {words}"
    for name, value in (told["metrics"] or {}).items():
        protocol = told["protocols"].get(name)
        measured = f" ({protocol})" if protocol else ""
        yield f"  {name}", f"{_number(value)}{measured}{_best(told['best'], name, value)}"
    for finding in _list(told["findings"]):
        if isinstance(finding, dict):
            yield "health", f"{finding.get('says')} (at {finding.get('examples')} examples)"
    for what in _list(told["write_errors"]):
        yield "not written", str(what)
    checkpoints = told["checkpoints"]
    yield "checkpoints", f"{len(checkpoints)}" + (f", the newest {checkpoints[-1]}" if checkpoints else "")
    yield "on the disk", format_bytes(told["bytes"])


def _list(value: Any) -> list[Any]:
    """What status.json has under a name that ought to be a list; it may be anyone's."""
    return value if isinstance(value, list) else []


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


def _best(best: Any, name: str, last: Any) -> str:
    """The best value on the way, where it was not the last one."""
    one = best.get(name) if isinstance(best, dict) else None
    if not isinstance(one, dict) or not isinstance(one.get("examples"), int) or one.get("value") == last:
        return ""
    return f"   best {_number(one.get('value'))} at {one['examples']:,} examples"

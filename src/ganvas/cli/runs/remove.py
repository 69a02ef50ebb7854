"""``ganvas runs rm RUN ...``: deletes run folders, after a question."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser
from ganvas.cli.runs.show import bytes_of, format_bytes
from ganvas.compare.find import find_runs
from ganvas.errors import OptionError, require
from ganvas.files.remove import clear_removed, remove_folder
from ganvas.files.text import one_line, say
from ganvas.run.folder.describe import describe
from ganvas.run.folder.lock import RunLock, is_held
from ganvas.run.folder.run_folder import RUN_DEPTH, RunFolder


def run(argv: Sequence[str]) -> int:
    """Deletes the folders of the runs that are named; 1 where the answer is no."""
    parser = Parser(prog="ganvas runs rm", description=__doc__)
    parser.add_argument("run", metavar="RUN", nargs="+", help="RUNs, globs or folders of runs")
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    arguments = parser.parse_args(list(argv))
    place = Path(arguments.output_dir)
    clear_removed(place, RUN_DEPTH)  # of one that was killed
    folders = find_runs(arguments.run, place)
    for folder in folders:
        check_removable(folder)
    require(arguments.yes or sys.stdin.isatty(), "--yes", "", "is needed where nobody can be asked")
    for folder in folders:
        told = describe(folder)
        size = format_bytes(bytes_of(folder.path))
        say(f"{one_line(str(folder.path))}   {told['state']}, {told['examples_seen']:,} examples, {size}")
    if not arguments.yes and not _agreed(len(folders)):
        say("nothing was deleted")
        return 1
    for folder in folders:
        remove(folder)
    say(f"deleted: {len(folders)}")
    return 0


def check_removable(folder: RunFolder) -> None:
    """Raises OptionError where a process writes the run, or it is a link to somebody's folder."""
    reason = "is a link; delete it yourself, and what it leads to if you mean that"
    require(not folder.path.is_symlink(), "RUN", folder.path, reason)
    reason = "is being trained by a process; stop that first"
    require(not is_held(folder.path), "RUN", folder.path, reason)


def remove(folder: RunFolder) -> None:
    """Deletes a run's folder while no other process may write it; killed meanwhile, it leaves no run.

    Raises:
        OptionError: another process holds it, or something in it cannot be deleted.
    """
    check_removable(folder)
    try:
        with RunLock(folder.path):
            # What makes it a run goes last: a deletion that fails halfway can be asked for again.
            remove_folder(folder.path, last="run.yaml")
    except OSError as error:
        reason = f"cannot be deleted ({error.strerror}: {error.filename})"
        raise OptionError("RUN", folder.path, reason) from error


def _agreed(count: int) -> bool:
    """Asks; no answer is no."""
    try:
        return input(f"delete {'it' if count == 1 else f'these {count} runs'}? [y/N] ").strip().lower() in (
            "y",
            "yes",
        )
    except EOFError:
        return False

"""``make test-fuzz``, or ``python tests/fuzz/run.py --help``: damaged files of every kind, read by commands.

A try holds where the command ends by exit code 0, or by 1 or 2 with one line; shows no traceback; does
nothing that its files may not cause (watch.py); and takes no longer than 5 s.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.pop("GANVAS_DATA", None)

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from harness import Ended, fuzz, one_try
from subjects import find
from table import Table
from world import make_world


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    known = find()
    parser.add_argument("--seconds", type=float, help="of tries, after the files to start from are made")
    parser.add_argument("--tries", type=int, help="of all classes together, instead of --seconds (60)")
    parser.add_argument(
        "--seed", type=int, default=1, help="try N of a class is a function of (class, seed, N)"
    )
    parser.add_argument("--only", nargs="*", choices=known, default=list(known), help="these classes alone")
    parser.add_argument("--number", type=int, help="this try alone, its files kept")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that run tries")
    parser.add_argument("--markdown", type=Path, help="writes the table at the end of that page")
    parser.add_argument("--failures", type=Path, help="writes a line for each try that did not hold there")
    parser.add_argument("--expect", type=int, default=0, help="fewer tries are a failure")
    arguments = parser.parse_args()
    sys.dont_write_bytecode = True  # a command that imports writes nothing
    warm()
    work = Path(tempfile.mkdtemp(prefix="ganvas-fuzz-", dir=_memory()))
    try:
        began = time.monotonic()
        world = make_world(work / "world")
        print(f"made in {time.monotonic() - began:.0f} s; seed {arguments.seed}", flush=True)
        chosen = {name: known[name] for name in arguments.only}
        if arguments.number is not None:
            for subject in chosen.values():
                folder = Path(tempfile.mkdtemp(prefix=f"{subject.name}-"))
                print(f"{subject.name} in {folder}")
                print(one_try(subject, world, arguments.seed, arguments.number, folder))
            return 0
        table = Table(chosen, arguments.seed)
        limit = (
            (60.0 if arguments.seconds is None else arguments.seconds) if arguments.tries is None else None
        )
        place = work / "tries"
        place.mkdir()
        running = fuzz(
            chosen,
            world,
            seed=arguments.seed,
            place=place,
            workers=arguments.workers,
            goes_on=lambda begun: table.next_class(begun, seconds=limit, tries=arguments.tries),
        )
        try:
            for ended in running:
                note(ended, table, arguments.failures)
        except KeyboardInterrupt:  # Ctrl-C ends a long run with what it has
            running.close()
        table.show()
        if arguments.markdown:
            table.write(arguments.markdown)
        short = table.tried < arguments.expect
        if short:
            print(f"{table.tried} tries are fewer than {arguments.expect}")
        return 1 if table.held < table.tried or short else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


def note(ended: Ended, table: Table, failures: Path | None) -> None:
    line = table.add(ended)
    if line is None:
        return
    print(line, flush=True)
    if failures is not None:
        with failures.open("a") as file:
            file.write(line + "\n")


def warm() -> None:
    """Imports what commands import late, so that no try pays for it, and no import looks like an event."""
    import ganvas.cli.before_training.check
    import ganvas.cli.compare
    import ganvas.cli.plot
    import ganvas.cli.resume
    import ganvas.cli.sweep.search.best
    import ganvas.cli.sweep.sweep
    import ganvas.cli.trained.coded.find
    import ganvas.cli.trained.coded.pictures
    import ganvas.cli.trained.decode
    import ganvas.cli.trained.evaluate
    import ganvas.codec.codes
    import ganvas.compare.show.page
    import ganvas.run.load  # noqa: F401


def _memory() -> str | None:
    """Files lie in memory where there is room."""
    place = Path("/dev/shm")
    roomy = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > 2**30
    return str(place) if roomy else None


if __name__ == "__main__":
    sys.exit(main())

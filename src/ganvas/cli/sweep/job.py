"""``ganvas job SWEEP INDEX``: one attempt at one job of a sweep or one stage of a pipeline, in this process.

What every engine runs, on whatever machine; it needs the sweep's folder alone. It trains the job's frozen
config, goes on from the newest checkpoint where an earlier attempt left one, and does nothing where the job
is finished. Exit codes: 0 finished, 1 failed, 2 refused, 128 + a signal's number: stopped, saved.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import Parser, add_own_code, add_places
from ganvas.cli.pipeline.stage import attempt_stage
from ganvas.cli.sweep.attempt import Frozen, attempt, lock_of
from ganvas.errors import OptionError
from ganvas.files.text import say
from ganvas.functional.instant import timestamp
from ganvas.pipeline.manifest import is_pipeline
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.run_folder import RunFolder
from ganvas.sweep.interface import Job
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.records import Record


def run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="ganvas job", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", metavar="SWEEP", help="the sweep's folder")
    parser.add_argument("index", metavar="INDEX", type=int, help="the job's number, from 0")
    add_own_code(parser)
    add_places(parser)
    arguments = parser.parse_args(list(argv))
    if is_pipeline(Path(arguments.sweep)):
        return attempt_stage(arguments)
    sweep = Manifest.read(Path(arguments.sweep))
    if not 0 <= arguments.index < len(sweep.jobs):
        raise OptionError("INDEX", arguments.index, f"the sweep has jobs 0 to {len(sweep.jobs) - 1}")
    job = sweep.jobs[arguments.index]

    if not find_rank().is_first:
        return _attempt(sweep, job, arguments)
    record = Record(sweep.folder, job.index)
    with lock_of(sweep.folder / "jobs", record.lock_name):
        if _is_finished(record):
            say(f"job {job.index} is finished already")
            return 0
        return _recorded(sweep, job, arguments, record)


def _recorded(sweep: Manifest, job: Job, arguments: Any, record: Record) -> int:
    """The attempt, its beginning and its end written down."""
    record.begin()
    folder, code, error = RunFolder(sweep.run_dir(job)), 1, None
    try:
        code = _attempt(sweep, job, arguments)
        error = None if code == 0 else folder.read_status().get("error")
        return code
    except OptionError as refusal:
        code, error = 2, str(refusal)
        raise
    except KeyboardInterrupt:
        code = 130
        raise
    except BaseException as failure:
        error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:500]}"
        raise
    finally:
        with contextlib.suppress(OSError):  # a full disk: the run's own status.json and the exit code tell
            record.end(code, folder, error)


def _attempt(sweep: Manifest, job: Job, arguments: Any) -> int:
    """Trains or resumes; what a single run would do."""
    frozen = Frozen(
        config=sweep.config_of(job),
        run_dir=sweep.run_dir(job),
        provenance=_provenance(sweep, job),
        overrides=sweep.overrides_of(job),
        origins=sweep.origins_of(job),
    )
    return attempt(frozen, arguments)


def _provenance(sweep: Manifest, job: Job) -> dict[str, Any]:
    """run.yaml's ``ganvas`` section: the sweep's, frozen with it, and this job's own words."""
    about = {
        key: value
        for key, value in sweep.about.items()
        if key not in ("sweep_overrides", "shared", "overrides")
    }
    own = {"overrides": sweep.overrides_of(job), "choices": sweep.choices_of(job)}
    where = {"sweep": str(sweep.folder), "job": job.index, "variant": job.variant, "repeat": job.repeat}
    return {**about, **own, "sweep": where, "created": timestamp()}


def _is_finished(record: Record) -> bool:
    try:
        attempts = record.read().get("attempts", [])
    except ValueError:  # damaged: the job is begun again, and finds what its run has
        return False
    return bool(attempts) and attempts[-1].get("code") == 0

"""``ganvas job SWEEP INDEX``: one attempt at one job of a sweep, in this process.

What every engine runs, on whatever machine; it needs the sweep's folder alone. It trains the job's frozen
config, goes on from the newest checkpoint where an earlier attempt left one, and does nothing where the job
is finished. Exit codes: 0 finished, 1 failed, 2 refused, 128 + a signal's number: stopped, saved.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import Parser, add_own_code, add_places, own_code
from ganvas.cli.compose.folders import make_importable, user_modules
from ganvas.cli.compose.secrets import fill_secrets, require_secrets
from ganvas.cli.report import report
from ganvas.cli.resume import resume
from ganvas.errors import OptionError
from ganvas.files.text import say
from ganvas.functional.instant import timestamp
from ganvas.run.config.places import check_training, confine
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.lock import RunLock, is_held
from ganvas.run.folder.run_folder import RunFolder
from ganvas.sweep.command import SECRETS
from ganvas.sweep.interface import Job
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.records import Record

_PATIENCE = 60.0  # seconds to wait for the end of an earlier attempt, whose sweep was killed


def run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="ganvas job", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", metavar="SWEEP", help="the sweep's folder")
    parser.add_argument("index", metavar="INDEX", type=int, help="the job's number, from 0")
    add_own_code(parser)
    add_places(parser)
    arguments = parser.parse_args(list(argv))
    sweep = Manifest.read(Path(arguments.sweep))
    if not 0 <= arguments.index < len(sweep.jobs):
        raise OptionError("INDEX", arguments.index, f"the sweep has jobs 0 to {len(sweep.jobs) - 1}")
    job = sweep.jobs[arguments.index]

    if not find_rank().is_first:
        return _attempt(sweep, job, arguments)
    record = Record(sweep.folder, job.index)
    with _lock(sweep.folder / "jobs", record.lock_name):
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
    if arguments.config_dir is not None:
        make_importable(Path(arguments.config_dir).resolve())
    allow = [*arguments.allow_imports, *user_modules(arguments.config_dir)]
    own = own_code(arguments.config_dir, arguments.allow_imports)
    config = _with_secrets(sweep.config_of(job))
    folder = RunFolder(sweep.run_dir(job), arguments.allow_places)
    if (folder.path / "run.yaml").exists():
        return resume(folder, [], allow, secrets=config, own=own)
    from ganvas.run.start import train

    if not arguments.allow_places:
        confine(config, folder.path)
        check_training(config, folder.path)
    if find_rank().is_first:
        _clear(folder.path)
    config["allow_imports"] = allow
    try:
        return report(train({"ganvas": _provenance(sweep, job), "config": config}), own)
    except OptionError as error:
        from ganvas.cli.compose.experiment import Composed  # Hydra, for seconds

        overrides = sweep.overrides_of(job)
        raise Composed(config, {}, overrides, sweep.origins_of(job)).named_as_written(error) from error


def _with_secrets(config: dict[str, Any]) -> dict[str, Any]:
    """The config with what sweep.json hides: the sweep's process hands it on in the environment."""
    try:
        given = json.loads(os.environ.get(SECRETS, "{}"))
    except ValueError:
        given = {}
    config = fill_secrets(config, given if isinstance(given, dict) else {})
    require_secrets(config)
    return config


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


def _clear(folder: Path) -> None:
    """Removes what an attempt left that was killed while it made the folder: it holds no run yet."""
    if folder.is_dir() and not any(
        path.is_file() and path.suffix != ".tmp" and path.name != ".lock" for path in folder.rglob("*")
    ):
        shutil.rmtree(folder)


def _lock(folder: Path, name: str) -> RunLock:
    """The job's lock, once an attempt that outlives its killed sweep for some seconds has let go."""
    until = time.monotonic() + _PATIENCE
    if is_held(folder, name):
        say("waiting for the end of an earlier attempt", error=True, flush=True)
    while is_held(folder, name) and time.monotonic() < until:
        time.sleep(0.2)
    return RunLock(folder, name)

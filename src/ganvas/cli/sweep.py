"""``ganvas train -m``: Hydra's sweeper over isolated jobs, and one table of their results."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.launcher import differing
from ganvas.errors import OptionError


def sweep(words: Sequence[str], *, config_dir: str | None, config_name: str) -> int:
    """Runs every combination; returns 0 only where every job ended well.

    Raises:
        OptionError: before the first job, where an override names nothing.
    """
    from ganvas.cli.compose import hydra_session
    from ganvas.cli.explain import composition_errors

    if config_dir is not None:
        os.environ["GANVAS_CONFIG_DIR"] = str(Path(config_dir).resolve())
    try:
        with hydra_session(config_dir) as hydra, composition_errors(hydra, words):
            sweep_dir = _sweep_dir(hydra, words, config_name)
            _compose_every_job(hydra, words, config_name)
            returned = hydra.multirun(
                config_name=config_name,
                task_function=_never_called,
                overrides=[*words, f"hydra.sweep.dir='{sweep_dir}'"],
                with_log_configuration=False,
            )
    finally:
        os.environ.pop("GANVAS_CONFIG_DIR", None)
    jobs = [job for batch in returned for job in batch]
    varied = differing([job.overrides for job in jobs])
    rows = [_row(index, job, differs) for index, (job, differs) in enumerate(zip(jobs, varied))]
    _write_csv(sweep_dir / "results.csv", rows)
    _print_table(rows)
    if (line := _best(rows)) is not None:
        print(line)
    print(f"table: {sweep_dir / 'results.csv'}")
    failed = [row["job"] for row in rows if row["exit_code"] != 0]
    if failed:
        print(f"{len(failed)} of {len(rows)} jobs failed: {', '.join(map(str, failed))}")
    return 1 if failed else 0


def _never_called(config: Any) -> None:
    raise AssertionError("jobs run in processes of their own")


def _sweep_dir(hydra: Any, words: Sequence[str], config_name: str) -> Path:
    """outputs/<name>/<date>_sweep-<hash>, from the overrides that are the same for every job."""
    import hashlib

    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.types import RunMode

    from ganvas.runtime.run_folder import check_name, check_writable

    fixed = [
        o.input_line
        for o in OverridesParser.create().parse_overrides(list(words))
        if not o.is_sweep_override()
    ]
    config = hydra.compose_config(config_name, fixed, run_mode=RunMode.RUN, with_log_configuration=False)
    check_name(config.name)
    digest = hashlib.sha256(f"{list(words)}{time.time_ns()}".encode()).hexdigest()[:6]
    folder = Path(config.paths.output_dir) / config.name / f"{time.strftime('%Y%m%d-%H%M%S')}_sweep-{digest}"
    check_writable(folder, "paths.output_dir")
    return folder


def _compose_every_job(hydra: Any, words: Sequence[str], config_name: str) -> None:
    """Lets Hydra refuse a job's overrides here: its own sweeper does so after it has made the folder."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.types import RunMode

    if any(word.startswith("hydra/sweeper=") for word in words):
        return  # another sweeper than the basic one has a grammar of its own
    overrides = OverridesParser.create().parse_overrides(list(words))
    for batch in BasicSweeper.split_arguments(overrides, max_batch_size=None):
        for job in batch:
            hydra.compose_config(config_name, job, run_mode=RunMode.RUN, with_log_configuration=False)


def _row(index: int, job: Any, differs: Sequence[str]) -> dict[str, Any]:
    """One job's line: what differed, how it ended, its figures."""
    from ganvas.runtime.redact import redacted_override
    from ganvas.runtime.run_folder import RunFolder

    status = RunFolder(Path(job.working_dir)).read_status()
    code = job.return_value
    if not isinstance(code, int):
        raise OptionError("job", index, "returned no exit code")
    return {
        "job": index,
        "overrides": " ".join(map(redacted_override, differs)),
        "state": status.get("state", "refused" if code == 2 else "failed"),
        "exit_code": code,
        "images_seen": status.get("images_seen", 0),
        "seconds": status.get("seconds", ""),
        **(status.get("figures") or {}),
        **_optimized(status),
        "folder": job.working_dir,
    }


def _optimized(status: dict[str, Any]) -> dict[str, Any]:
    """The best value over the job of what the sweep ranks by, under ``best <name>``."""
    found = status.get("optimized")
    if not isinstance(found, dict) or not isinstance(found.get("value"), int | float):
        return {}
    return {f"best {found['metric']}": found["value"], "_mode": found["mode"]}


def _best(rows: Sequence[dict[str, Any]]) -> str | None:
    """A line that names the best job, where the sweep ranks its jobs."""
    ranked = [
        (row[name], row["_mode"], name, row) for row in rows for name in row if name.startswith("best ")
    ]
    if not ranked:
        return None
    sign = 1 if ranked[0][1] == "min" else -1
    value, _, name, row = min(ranked, key=lambda entry: sign * entry[0])
    job = f"job {row['job']} ({row['overrides'] or 'no override'})"
    return f"best: {job}, {name[5:]} {value:.6g}, {row['folder']}"


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row if name not in ("folder", "_mode"))
    return [*names, "folder"]


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=_columns(rows), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    """The table for people: the figures of a job in one column, so that eighty characters suffice."""
    from rich.console import Console
    from rich.table import Table

    from ganvas.cli.runs import headline

    table = Table("job", "overrides", "state", "images", "seconds", "figures")
    for row in rows:
        figures = {key: value for key, value in row.items() if key not in _FIXED}
        fixed = (str(row[key]) for key in ("job", "overrides", "state", "images_seen", "seconds"))
        table.add_row(*fixed, headline(figures))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


_FIXED = ("job", "overrides", "state", "exit_code", "images_seen", "seconds", "folder", "_mode")

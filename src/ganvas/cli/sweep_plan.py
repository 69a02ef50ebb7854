"""``ganvas sweep plan``: what a sweep would run, without running or writing any of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.compose import hydra_session
from ganvas.cli.runs import printable
from ganvas.cli.sweep_jobs import Composer
from ganvas.cli.sweep_run import Planned, engine_of, hydra_section
from ganvas.cli.sweep_run import plan as planned
from ganvas.sweep.command import JobCommand
from ganvas.sweep.estimate import paces, sweep_seconds

_SHOWN = 20  # jobs of the table; --json has them all


def plan(overrides: Sequence[str], *, config_dir: str | None, config_name: str, as_json: bool = False) -> int:
    """Prints how many jobs there would be, what differs, and about how long they would take."""
    with hydra_session(config_dir) as hydra:
        composer = Composer(hydra, config_name)
        made = planned(composer, overrides, hydra_section(composer, overrides))
    sweep = made.sweep
    slots = engine_of(made, JobCommand(sweep.folder, config_dir)).slots()
    if made.examples:
        from ganvas.cli.search_plan import print_plan

        return print_plan(made, slots, as_json=as_json)
    at_a_time = max(1, min(slots, len(sweep.jobs)))
    trees = [(sweep.config_of(job), sweep.choices_of(job)) for job in sweep.jobs]
    seconds, runs = sweep_seconds(trees, paces(Path(trees[0][0]["paths"]["output_dir"])), at_a_time=at_a_time)
    if as_json:
        print(json.dumps(_as_json(made, at_a_time, seconds), indent=1))
        return 0
    _print_jobs(made)
    variants = len({job.variant for job in sweep.jobs})
    seeds = len(sweep.jobs) // variants
    print(f"{len(sweep.jobs)} jobs ({variants} combinations x {seeds} seeds), {at_a_time} at a time")
    if seconds is None:
        print("time: not known; no finished run of such a model and data lies under paths.output_dir")
    else:
        print(
            f"time: about {format_duration(seconds)}, by the pace of {runs} finished runs of such models "
            "and data"
        )
    print(f"folder: {sweep.folder} (not made)")
    return 0


def _as_json(made: Planned, at_a_time: int, seconds: float | None) -> dict[str, Any]:
    jobs = [{"job": job.index, "key": job.key, "differs": job.differs, "variant": job.variant}
            for job in made.sweep.jobs]  # fmt: skip
    return {"jobs": jobs, "at_a_time": at_a_time, "seconds": seconds}


def _print_jobs(made: Planned) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("job", "what differs", "devices", "examples")
    for job in made.sweep.jobs[:_SHOWN]:
        budget = (made.sweep.config_of(job).get("trainer") or {}).get("max_examples")
        cells = (
            str(job.index),
            " ".join(job.differs),
            str(job.devices),
            "" if budget is None else f"{budget:,}",
        )
        table.add_row(*map(printable, cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    if len(made.sweep.jobs) > _SHOWN:
        print(f"and {len(made.sweep.jobs) - _SHOWN} jobs more (--json lists them all)")


def format_duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"

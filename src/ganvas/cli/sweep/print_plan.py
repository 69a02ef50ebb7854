"""``ganvas sweep plan``: what a sweep would run, without running or writing any of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.sweep.plan import hydra_section, plan_sweep
from ganvas.cli.sweep.planned import Planned, engine_of
from ganvas.cli.sweep.search.plan import print_search
from ganvas.cli.terminal import format_estimate, print_table
from ganvas.files.text import say, say_json
from ganvas.sweep.command import JobCommand
from ganvas.sweep.estimate import paces, sweep_seconds

_SHOWN = 20  # jobs of the table; --json has them all


def print_plan(
    overrides: Sequence[str], *, config_dir: str | None, config_name: str, as_json: bool = False
) -> int:
    """Prints how many jobs there would be, what differs, and about how long they would take."""
    with hydra_session(config_dir) as hydra:
        composer = Composer(hydra, config_name)
        made = plan_sweep(composer, overrides, hydra_section(composer, overrides))
    sweep = made.sweep
    slots = engine_of(made, JobCommand(sweep.folder, config_dir)).slots()
    if made.examples:
        return print_search(made, slots, as_json=as_json)
    at_a_time = max(1, min(slots, len(sweep.jobs)))
    trees = [(sweep.config_of(job), sweep.choices_of(job)) for job in sweep.jobs]
    seconds, runs = sweep_seconds(trees, paces(Path(trees[0][0]["paths"]["output_dir"])), at_a_time=at_a_time)
    if as_json:
        say_json(_as_json(made, at_a_time, seconds), indent=1)
        return 0
    _print_jobs(made)
    variants = len({job.variant for job in sweep.jobs})
    seeds = len(sweep.jobs) // variants
    say(f"{len(sweep.jobs)} jobs ({variants} combinations x {seeds} seeds), {at_a_time} at a time")
    for note in made.notes:
        say(note)
    say(format_estimate(seconds, runs, "about"))
    say(f"folder: {sweep.folder} (not made)")
    return 0


def _as_json(made: Planned, at_a_time: int, seconds: float | None) -> dict[str, Any]:
    jobs = [
        {"job": job.index, "key": job.key, "differs": job.differs, "variant": job.variant}
        for job in made.sweep.jobs
    ]
    return {"jobs": jobs, "at_a_time": at_a_time, "seconds": seconds}


def _print_jobs(made: Planned) -> None:
    rows = []
    for job in made.sweep.jobs[:_SHOWN]:
        budget = (made.sweep.config_of(job).get("trainer") or {}).get("max_examples")
        examples = "" if budget is None else f"{budget:,}"
        rows.append((str(job.index), " ".join(job.differs), str(job.devices), examples))
    print_table(("job", "what differs", "devices", "examples"), rows)
    if len(made.sweep.jobs) > _SHOWN:
        say(f"and {len(made.sweep.jobs) - _SHOWN} jobs more (--json lists them all)")

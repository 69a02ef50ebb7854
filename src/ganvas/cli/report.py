"""What a command says before torch is imported, and once training is over."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.terminal import command_line, format_metric
from ganvas.files.text import say
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.short_protocol import noted_protocols


def announce(config: Mapping[str, Any], choices: Mapping[str, Any], *, seen: int = 0) -> None:
    """Says what is about to be trained, and how long; values are not checked yet.

    Args:
        config: of the run.
        choices: group -> option.
        seen: examples that the run has behind it.
    """
    if not find_rank().is_first:
        return
    what = f"{choices.get('model', 'a model')} on {choices.get('data', 'data')}"
    goes_on = f", on from {seen:,}" if seen else ""
    say(f"{what}: {_budget(config['trainer'])}{goes_on}, seed {config.get('seed')}", flush=True)


def _budget(trainer: Mapping[str, Any]) -> str:
    fast = trainer.get("fast_dev_run")
    if fast:
        return "a trial of one batch" if fast is True else f"a trial of {fast} batches"
    counts = {"max_examples": "examples", "max_epochs": "epochs", "max_steps": "batches"}
    budgets = [f"{_number(trainer.get(key))} {unit}" for key, unit in counts.items() if trainer.get(key)]
    budgets += [str(trainer["max_time"])] if trainer.get("max_time") else []
    return " or ".join(budgets) or "no budget"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def report(outcome: Any, own: Sequence[str] = (), *, says_how: bool = True) -> int:
    """Says where everything lies, and how to go on; returns the exit code.

    Args:
        own: the words that bring the user's own code to the next command.
        says_how: whether it says how a stopped run is gone on with.
    """
    folder = outcome.folder.path
    if outcome.is_quiet or not find_rank().is_first:
        return int(outcome.exit_code)
    for note in outcome.notes:
        say(note, error=bool(outcome.exit_code))
    say(f"{outcome.state}: {folder}")
    protocols = noted_protocols(outcome.folder.read_status())
    for name, value in sorted(outcome.metrics.items()):
        say(f"  {format_metric(name, value, protocols.get(name), width=24)}")
    if outcome.state == "interrupted":
        if says_how:
            say(f"go on with: {command_line('resume', folder, *own)}")
        return int(outcome.exit_code)
    there = {
        "images": _filled(folder / "samples", "*.png"),
        "metrics": _filled(folder / "metrics.jsonl"),
        "checkpoints": _filled(folder / "checkpoints", "*.ckpt"),
    }
    lines = [f"{name}: {path}" for name, path in there.items() if path is not None]
    if lines:
        say("   ".join(lines))
    if _filled(folder / "tensorboard", "events.*"):
        say(f"watch:    tensorboard --logdir {shlex.quote(str(folder.parent))}")
    return int(outcome.exit_code)


def _filled(path: Path, pattern: str = "") -> Path | None:
    """The path, where there is something in it."""
    if pattern:
        return path if any(path.glob(pattern)) else None
    return path if path.is_file() and path.stat().st_size > 0 else None

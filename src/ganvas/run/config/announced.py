"""What is about to be trained, how long, and where it will lie: said once nothing can be refused any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from ganvas.files.text import say


class Announcement(pl.Callback):
    """Says it once, as training begins: until then a callback of Lightning's may refuse its options.

    Args:
        config: of the run.
        choices: group -> option.
    """

    def __init__(self, config: Mapping[str, Any], choices: Mapping[str, Any]) -> None:
        self.config, self.choices, self.is_said = config, choices, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not self.is_said:
            announce(self.config, self.choices, seen=pl_module.examples_seen)
        self.is_said = True


def announce(config: Mapping[str, Any], choices: Mapping[str, Any], *, seen: int = 0) -> None:
    """Says it in two lines.

    Args:
        config: of the run.
        choices: group -> option.
        seen: examples that the run has behind it.
    """
    what = f"{choices.get('model', 'a model')} on {choices.get('data', 'data')}"
    goes_on = f", on from {seen:,}" if seen else ""
    say(f"{what}: {_budget(config['trainer'])}{goes_on}, seed {config.get('seed')}")
    say(f"folder: {config['paths']['run_dir']}", flush=True)


def _budget(trainer: Mapping[str, Any]) -> str:
    fast = trainer.get("fast_dev_run")
    if fast:
        return "a trial of one batch" if fast is True else f"a trial of {fast} batches"
    counts = {"max_examples": "examples", "max_epochs": "epochs", "max_steps": "batches"}
    budgets = [f"{trainer[key]:,} {unit}" for key, unit in counts.items() if trainer.get(key)]
    budgets += [str(trainer["max_time"])] if trainer.get("max_time") else []
    return " or ".join(budgets) or "no budget"

"""Where a run begins: in this process, or in one process for each of its ranks on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganvas.run.distributed.launch import launch, local_ranks
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.outcome import Outcome


def train(
    run: dict[str, Any],
    *,
    resume: RunFolder | None = None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
) -> Outcome:
    """As :func:`ganvas.run.train_run.train`, whatever the number of ranks and whoever starts them.

    Raises:
        OptionError: before anything is written.
        NonFiniteError: the numbers diverged.
        RankError: a rank died, hung or failed.
    """
    accelerator = run["config"]["accelerator"]
    if find_rank().launcher is None:
        count, nodes = local_ranks(accelerator), accelerator.get("num_nodes")
        if count and type(nodes) is int and nodes >= 1 and count * nodes > 1:
            return launch(run, count=count, resume=resume, overrides=overrides, quiet=quiet)
    from ganvas.run.train_run import train as live  # imports torch

    return live(run, resume=resume, overrides=overrides, quiet=quiet)

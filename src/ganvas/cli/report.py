"""What a command says once training is over."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from ganvas.cli.terminal import command_line
from ganvas.run.distributed.rank_info import find_rank


def report(outcome: Any, own: Sequence[str] = ()) -> int:
    """Says where everything lies, and how to go on; returns the exit code.

    Args:
        own: the words that bring the user's own code to the next command.
    """
    folder = outcome.folder.path
    if outcome.is_quiet or not find_rank().is_first:
        return int(outcome.exit_code)
    for note in outcome.notes:
        print(note, file=sys.stderr if outcome.exit_code else sys.stdout)
    print(f"{outcome.state}: {folder}")
    for name, value in sorted(outcome.metrics.items()):
        print(f"  {name:24} {value:.4f}")
    if outcome.state == "interrupted":
        print(f"go on with: {command_line('resume', folder, *own)}")
    else:
        print(f"images: {folder / 'samples'}   metrics: {folder / 'metrics.jsonl'}")
        print(f"watch:    {shlex.join(['tensorboard', '--logdir', str(folder.parent)])}")
    return int(outcome.exit_code)

"""What a command says once training is over."""

from __future__ import annotations

import sys
from typing import Any

from ganvas.run.distributed.rank_info import find_rank


def report(outcome: Any) -> int:
    """Says where everything lies, and how to go on; returns the exit code."""
    folder = outcome.folder.path
    if outcome.is_quiet or not find_rank().is_first:
        return int(outcome.exit_code)
    for note in outcome.notes:
        print(note, file=sys.stderr if outcome.exit_code else sys.stdout)
    print(f"{outcome.state}: {folder}")
    for name, value in sorted(outcome.metrics.items()):
        print(f"  {name:24} {value:.4f}")
    if outcome.state == "interrupted":
        print(f"go on with: ganvas resume {folder}")
    else:
        print(f"images: {folder / 'samples'}   metrics: {folder / 'metrics.jsonl'}")
        print(f"watch:    tensorboard --logdir {folder.parent}")
    return int(outcome.exit_code)

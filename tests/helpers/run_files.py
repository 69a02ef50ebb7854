"""Reading what a run wrote."""

from __future__ import annotations

from pathlib import Path

import torch


def only_run(folder: Path) -> Path:
    """The one run under outputs/."""
    (status,) = folder.glob("outputs/*/*/status.json")
    return status.parent


def newest_state(run: Path) -> dict[str, torch.Tensor]:
    """The networks of a run's newest checkpoint."""
    return newest_checkpoint(run)["state_dict"]


def newest_checkpoint(run: Path) -> dict:
    path = sorted(run.glob("checkpoints/*.ckpt"))[-1]
    return torch.load(path, map_location="cpu", weights_only=True)

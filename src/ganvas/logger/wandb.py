"""Weights & Biases: on this machine, or on its service where the environment has WANDB_API_KEY."""

from __future__ import annotations

from ganvas.logger.process.tracker import Tracker


class Wandb(Tracker):
    """See :class:`Tracker`. Without a key it writes what ``wandb sync`` uploads later.

    Resumed, it writes a second folder of the same run id beside the first, and syncing both in their order
    makes one run. On the service steps only grow; what was logged there already is left out.
    """

    tracker = "wandb"
    package = "wandb"
    keys = ("WANDB_API_KEY",)

"""A callback: what happens beside training."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Due
from ganvas.callback.record import record
from ganvas.callback.run_state import RunCallback


class WeightNorms(RunCallback):
    """Records the norm of each network's weights: ``weight_norm/<network>`` in metrics.jsonl and TensorBoard.

    It has nothing to keep for a resume; a callback that has gives it back by ``state_dict`` and takes it by
    ``load_state_dict``.

    Args:
        run_dir: the run's folder.
        every_examples: examples between two records.
    """

    def __init__(self, *, run_dir: str, every_examples: int = 10000) -> None:
        self.run_dir, self.every_examples = run_dir, every_examples
        self.next = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.next = (int(pl_module.examples_seen) // self.every_examples + 1) * self.every_examples

    def next_due(self) -> Due:
        """When it wants to be called after a batch, in examples seen; batches in between cost nothing."""
        return Due(self.next)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        examples = int(pl_module.examples_seen)
        if examples < self.next:
            return
        self.next = (examples // self.every_examples + 1) * self.every_examples
        norms = {
            f"weight_norm/{name}": float(sum(p.detach().square().sum() for p in network.parameters()) ** 0.5)
            for name, network in pl_module.networks.items()
        }
        record(trainer, pl_module, self.run_dir, norms, self.state)

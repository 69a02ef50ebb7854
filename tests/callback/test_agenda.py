"""Which batches callbacks are called on, in which order, and that nothing due is missed."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ganvas.callback.agenda import Agenda, Due, next_multiple
from ganvas.callback.checkpoint import Checkpoint
from ganvas.cli.main import main


class Every(pl.Callback):
    """Wants to be called at multiples of so many examples."""

    def __init__(self, every: int, calls: list[tuple[Any, int]]) -> None:
        self.every, self.calls, self.done = every, calls, 0

    def next_due(self) -> Due:
        return Due(next_multiple(self.done, self.every))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.done = pl_module.examples_seen
        self.calls.append((self.every, self.done))


class OwnHook(Every):
    """Says nothing new of when it is due."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        super().on_train_batch_end(trainer, pl_module)


def called(agenda: Agenda, batches: int) -> list[int]:
    """Examples, one a batch, at which the callbacks are called."""
    found = []
    for examples in range(1, batches + 1):
        if examples >= agenda.examples:
            agenda(None, SimpleNamespace(examples_seen=examples), None, None, 0)
            found.append(examples)
    return found


def test_all_are_called_in_order_where_one_is_due() -> None:
    calls: list[tuple[Any, int]] = []
    callbacks = [Every(4, calls), pl.Callback(), Every(6, calls)]
    agenda = Agenda(callbacks)
    assert called(agenda, 13) == [1, 4, 6, 8, 12]
    assert calls[:4] == [(4, 1), (6, 1), (4, 4), (6, 4)]
    assert not callable(callbacks[0].on_train_batch_end), "Lightning has nothing to call"
    assert callable(callbacks[1].on_train_batch_end), "a plain callback is left to it"


def test_a_subclass_with_a_hook_of_its_own_is_called_after_every_batch() -> None:
    calls: list[tuple[Any, int]] = []
    assert called(Agenda([Every(4, calls), OwnHook(100, calls)]), 5) == [1, 2, 3, 4, 5]
    assert calls[:2] == [(4, 1), (100, 1)], "in its place, as before"


def test_the_earliest_time_counts() -> None:
    class Timed(Every):
        def next_due(self) -> Due:
            return Due(time=float(self.every))

        def on_train_batch_end(self, *_: Any) -> None: ...

    agenda = Agenda([Timed(9, []), Timed(5, [])])
    assert (agenda.examples, agenda.time) == (0, 0), "the first batch calls all"
    agenda.now = True
    agenda(None, None)
    assert (agenda.examples, agenda.time, agenda.now) == (math.inf, 5.0, False)
    assert [next_multiple(7, 4), next_multiple(8, 4), next_multiple(8, 0)] == [8, 12, math.inf]


_RUN = [
    "train",
    "model=mlp_gan",
    "data.batch_size=32",
    "callback=minimal",
    "logger=none",
    "callback.evaluation=null",
    "accelerator=cpu",
    "accelerator.threads=1",
]


@pytest.mark.parametrize(
    "budget",
    [
        ["trainer.max_examples=null", "trainer.max_epochs=2", "trainer.limit_train_batches=3"],
        ["trainer.max_examples=null", "trainer.max_steps=6", "trainer.limit_train_batches=4"],
        ["trainer.max_examples=192"],
    ],
)
def test_the_last_batch_is_saved_before_its_epoch_is_counted(budget: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert (
        main(
            [
                *_RUN,
                *budget,
                "trainer.log_every_examples=1000000",
                "trainer.limit_val_batches=0",
                f"paths.run_dir={run}",
            ]
        )
        == 0
    )
    held = torch.load(run / "checkpoints" / "000000000192.ckpt", weights_only=True)
    done = held["loops"]["fit_loop"]["epoch_progress"]["current"]["completed"]
    assert held["global_step"] == 6
    assert done == held["epoch"], "the epoch of the last batch is not counted as a whole one"
    batch = held["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
    assert batch["completed"] == batch["ready"] - 1, "written within the last batch"


def test_checkpoint_knows_the_end_of_the_budget(tmp_path: Path) -> None:
    options = {"every_examples": 0, "every_minutes": None, "keep_last": 1, "keep_every_examples": 0}
    callback = Checkpoint(run_dir=str(tmp_path), **options, monitor=None, mode="min", keep_best=1)
    trainer: Any = SimpleNamespace(
        max_steps=-1,
        max_epochs=3,
        num_training_batches=5,
        global_step=0,
        should_stop=False,
        fit_loop=SimpleNamespace(_data_fetcher=None),
        is_global_zero=False,
    )
    module: Any = SimpleNamespace(examples_seen=0, batches_seen=0)
    callback.on_train_start(trainer, module)
    assert callback.next_due().examples == math.inf
    module.examples_seen, module.batches_seen = 16, 1
    callback.on_train_batch_end(trainer, module, None, None, 0)
    assert callback.next_due() == Due(15 * 16)

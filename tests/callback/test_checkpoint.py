"""Checkpoints by examples: when they are written, which are kept, what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from ganvas.callback import checkpoint as module
from ganvas.callback.checkpoint import Checkpoint, kept_checkpoints
from ganvas.callback.run_state import RunCallback, RunState, give_state
from ganvas.errors import NonFiniteError, OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint import io as io_module
from ganvas.run.checkpoint.io import DurableCheckpointIO
from ganvas.run.folder.checksum import checksum_matches


class Line(Recipe):
    """One weight, eight samples a batch."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.line = nn.Linear(1, 1)
        self.add_optimizer("line", lambda parameters: torch.optim.Adam(parameters, 0.1), ["line"])

    def training_step(self, batch: Any, batch_idx: int) -> None:
        super().training_step(Batch(batch, None), batch_idx)

    def step(self, batch: Batch, draws: Draws) -> None:
        self.descend("line", {"loss/line": self.line(batch.x).square().mean()})


USUAL: dict[str, Any] = {
    "every_examples": 0,
    "every_minutes": None,
    "keep_last": 1,
    "keep_every_examples": 0,
    "monitor": None,
    "mode": "min",
    "keep_best": 1,
}


class Report(RunCallback):
    """Reports ``quality`` as the callback Record does, one value a batch (None: nothing)."""

    def __init__(self, values: list[float | None]) -> None:
        self.values = values

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        value = self.values[pl_module.batches_seen - 1]
        if value is not None:
            self.state.reported["quality"] = (pl_module.examples_seen, value)


def fit(
    folder: Path,
    batches: int,
    *,
    others: list[pl.Callback] | None = None,
    line: Line | None = None,
    **options: Any,
) -> list[str]:
    checkpoint = Checkpoint(run_dir=str(folder), **(USUAL | options))
    callbacks = [*(others or []), checkpoint]
    give_state(callbacks, RunState())
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=batches,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[DurableCheckpointIO()],
        callbacks=callbacks,
    )
    trainer.fit(line or Line(), DataLoader(torch.rand(8 * 4, 1), batch_size=8))
    return sorted(path.name for path in (folder / "checkpoints").glob("*.ckpt*"))


def names(*examples: int) -> list[str]:
    return sorted(f"{count:012d}.ckpt{end}" for count in examples for end in ("", ".sha256"))


def test_every_examples_and_the_last_batch(tmp_path: Path) -> None:
    # 8 examples a batch: 20 is passed at 24 and 40, the end is at 56.
    assert fit(tmp_path, 7, every_examples=20, keep_last=9) == names(24, 40, 56)


def test_keeps_the_newest(tmp_path: Path) -> None:
    assert fit(tmp_path, 7, every_examples=8, keep_last=2) == names(48, 56)


def test_zero_writes_the_end_alone(tmp_path: Path) -> None:
    assert fit(tmp_path, 5, every_examples=0, keep_last=1) == names(40)


def test_holds_clock_and_weights_and_a_right_hash(tmp_path: Path) -> None:
    fit(tmp_path, 5, every_examples=0, keep_last=1)
    path = tmp_path / "checkpoints" / f"{40:012d}.ckpt"
    assert checksum_matches(path)
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["ganvas_clock"] == {"examples_seen": 40, "batches_seen": 5, "rollbacks": 0}
    assert checkpoint["global_step"] == 5
    assert (checkpoint["epoch"], list(checkpoint["state_dict"])) == (1, ["line.weight", "line.bias"])


def test_the_first_of_every_so_many_examples_stays(tmp_path: Path) -> None:
    # Saved at 8, 16, ... 80; the first at or after 24, 48 and 72, and the newest.
    assert fit(tmp_path, 10, every_examples=8, keep_every_examples=24) == names(24, 48, 72, 80)


@pytest.mark.parametrize(
    ("there", "last", "every", "best", "kept"),
    [
        ([8, 16, 24], 1, 0, [], {24}),
        ([8, 16, 24], 2, 0, [8], {8, 16, 24}),
        ([8, 16, 24], 1, 0, [99], {24}),
        ([10, 21, 22, 35, 41, 50], 1, 20, [], {21, 41, 50}),
        ([], 3, 5, [1], set()),
    ],
)
def test_which_are_kept(there: list[int], last: int, every: int, best: list[int], kept: set[int]) -> None:
    assert kept_checkpoints(there, last=last, every=every, best=best) == kept


@pytest.mark.parametrize(("mode", "best"), [("min", (16, 40)), ("max", (8, 32))])
def test_the_best_by_a_metric_stay(mode: str, best: tuple[int, int], tmp_path: Path) -> None:
    values = [5.0, 1.0, None, 7.0, 2.0, 3.0, 4.0]
    written = fit(tmp_path, 7, others=[Report(values)], monitor="quality", mode=mode, keep_best=2)
    assert written == names(*best, 56)


def test_a_continuation_knows_what_was_best(tmp_path: Path) -> None:
    fit(tmp_path, 3, others=[Report([5.0, 1.0, 4.0])], monitor="quality")
    assert fit(tmp_path, 5, others=[Report([9.0] * 5)], monitor="quality", line=Line()) == names(8, 40)
    # the ranking is that of its examples: what lay beyond the continuation's start is forgotten
    folder = tmp_path / "again"
    fit(folder, 3, others=[Report([5.0, 1.0, 4.0])], monitor="quality")
    line = Line()
    line.examples_seen, line.batches_seen = 24, 3
    assert fit(folder, 2, others=[Report([None] * 3 + [2.0, 3.0])], monitor="quality", line=line) == names(
        16, 40
    )


@pytest.mark.parametrize(
    ("first_rank", "scores", "told"), [(True, {}, 1), (True, {100: 0.5}, 0), (False, {}, 0)]
)
def test_what_is_said_of_a_monitor_that_did_not_come(
    first_rank: bool, scores: dict[int, float], told: int, tmp_path: Path
) -> None:
    """It may have come before the run was killed; and health's scalars are known to the first rank alone."""
    (tmp_path / "checkpoints").mkdir()
    held = {"monitor": "health/energy", "sign": 1, "scores": scores}
    (tmp_path / "checkpoints" / "scores.json").write_text(json.dumps(held))
    checkpoint = Checkpoint(run_dir=str(tmp_path), **(USUAL | {"monitor": "health/energy"}))
    recipe: Any = SimpleNamespace(examples_seen=200, batches_seen=25)
    checkpoint.state.reported["loss/line"] = (200, 1.0)
    trainer: Any = SimpleNamespace(is_global_zero=first_rank)
    checkpoint.on_train_start(trainer, recipe)
    checkpoint.on_train_end(trainer, recipe)
    assert [event["what"] for event in checkpoint.state.write_errors.events] == ["the best checkpoint"] * told


def test_the_clock_on_the_wall_makes_checkpoints_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under Lightning's ModelCheckpoint and manual optimization it makes none (#21699)."""
    clock = iter(range(0, 10**6, 20))  # each look is 20 seconds later
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    # Looks at the start, at every batch and at every save: 60 s are over at batch 3, and again at batch 6.
    assert fit(tmp_path, 7, every_minutes=1.0, keep_last=9) == names(24, 48, 56)


def test_a_full_disk_is_told_once_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, seen = module.Checkpoint.save, []

    def save(self: Any, trainer: Any, pl_module: Any) -> None:
        io = trainer.strategy.checkpoint_io
        full = 16 <= pl_module.examples_seen <= 32
        with monkeypatch.context() as patch:
            if full:
                patch.setattr(io_module.os, "fsync", _full)
            real(self, trainer, pl_module)
        seen.append((pl_module.examples_seen, io.error is None, len(self.state.write_errors.events)))

    monkeypatch.setattr(module.Checkpoint, "save", save)
    assert fit(tmp_path, 5, every_examples=8) == names(40)
    assert seen == [(8, True, 0), (16, False, 1), (24, False, 1), (32, False, 1), (40, True, 1)]
    assert caplog.text.count("could not be written") == 1
    assert caplog.text.count("can be written again") == 1


def _full(handle: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["parameter", "optimizer"])
def test_no_checkpoint_of_a_state_that_is_not_finite(where: str, tmp_path: Path) -> None:
    class Break(pl.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            if pl_module.batches_seen == 3 and where == "parameter":
                pl_module.line.weight.data.fill_(torch.nan)
            if pl_module.batches_seen == 3 and where == "optimizer":
                moments = trainer.optimizers[0].state
                moments[pl_module.line.bias]["exp_avg"] = torch.tensor([torch.inf])

    term = "line.weight" if where == "parameter" else "exp_avg"
    with pytest.raises(NonFiniteError, match=f"{term}.*batch 3 .24 examples"):
        fit(tmp_path, 5, every_examples=8, others=[Break()])
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("*.ckpt*")) == names(16)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("every_examples", -1),
        ("keep_last", 0),
        ("every_minutes", 0.0),
        ("keep_every_examples", -5),
        ("mode", "best"),
        ("keep_best", 0),
    ],
)
def test_refuses(tmp_path: Path, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        Checkpoint(run_dir=str(tmp_path), **(USUAL | {option: value}))


def test_the_second_try_of_the_last_state_writes_what_the_first_one_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of training Lightning counts a cut epoch as a whole one: that is no state to go on from."""
    real = io_module._write
    left = iter([True])

    def write(checkpoint: Any, path: Path) -> str:
        if next(left, False):
            raise OSError(5, "Input/output error")
        return real(checkpoint, path)

    torch.manual_seed(0)
    fit(tmp_path / "whole", 2, every_examples=16)
    monkeypatch.setattr(io_module, "_write", write)
    torch.manual_seed(0)
    assert fit(tmp_path / "again", 2, every_examples=16) == names(16)
    whole, again = (
        torch.load(tmp_path / run / "checkpoints" / names(16)[0], weights_only=True)
        for run in ("whole", "again")
    )
    assert again["epoch"] == whole["epoch"] == 0
    assert again["loops"] == whole["loops"]

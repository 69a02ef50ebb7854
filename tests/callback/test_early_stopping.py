from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from run_files import newest_state

from ganvas.callback.agenda import Agenda
from ganvas.callback.early_stopping import EarlyStopping
from ganvas.callback.run_state import RunState
from ganvas.cli.main import main
from ganvas.errors import OptionError


class Trainer:
    should_stop = False
    sanity_checking = False

    def __init__(self, *, is_global_zero: bool = True) -> None:
        self.is_global_zero = is_global_zero


def ended_at(values: list[float | None], **options: Any) -> int | None:
    """Examples at which training ends, where 100 examples bring one value (None: none); None: it goes on."""
    stop = EarlyStopping(monitor="x", **{"patience_examples": 300, **options})
    stop.state, trainer = RunState(), Trainer()
    for number, value in enumerate(values, start=1):
        if value is not None:
            stop.state.reported["x"] = (100 * number, value)
        stop.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
        if trainer.should_stop:
            return 100 * number
    return None


@pytest.mark.parametrize(
    ("values", "options", "end"),
    [
        ([3, 2, 5, 5, 5, 1], {}, 500),
        ([3, 2, 5, 5, 1, 5, 5, 5], {}, 800),
        ([3, 2, 5, None, None, None, 5], {}, 700),
        ([3, 2, None, None, None, None, None], {}, None),
        ([3, 2, 1.9, 1.8, 1.7], {"min_delta": 0.5}, 500),
        ([3, 2.5, 2.0, 1.5], {"min_delta": 0.4}, None),
        ([1, 2, 3, 3, 2, 3], {"mode": "max"}, 600),
        ([3, 2, 1, 0, -1], {"mode": "max"}, 400),
        ([float("nan")] * 4, {}, 300),
        ([2, float("nan"), 1, 2], {}, None),
    ],
)
def test_the_end(values: list[float | None], options: dict[str, Any], end: int | None) -> None:
    assert ended_at(values, **options) == end


def test_what_it_has_seen_is_in_the_checkpoint() -> None:
    first, second = (EarlyStopping(monitor="x", patience_examples=300) for _ in range(2))
    first.state.reported["x"] = (100, 1.0)
    first.on_train_batch_end(Trainer(), None, None, None, 0)  # type: ignore[arg-type]
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    trainer = Trainer()
    for examples in (200, 300, 400):
        assert not trainer.should_stop
        second.state.reported["x"] = (examples, 1.5)
        second.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    assert trainer.should_stop
    assert second.state.stopped_early == {
        "says": "x was best at 100 examples (1), and not better since",
        "waited": 300,
    }


def test_a_rank_that_knows_no_value_stops_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of the evaluation is known to the first rank alone; the others would wait for it for ever."""
    asked = []

    def another_is_over(own: int) -> int:
        asked.append(own)
        return 1

    monkeypatch.setattr("ganvas.callback.early_stopping.max_over_ranks", another_is_over)
    assert ended_at([None]) == 100
    assert asked == [0]


@pytest.mark.parametrize("checks_itself", [False, True])
def test_a_validation_that_ends_the_patience_asks_for_the_next_batch(
    checks_itself: bool,
) -> None:
    """Whatever else that batch brings; Lightning's check of the validation before training is none."""
    stop, trainer = EarlyStopping(monitor="x", patience_examples=300), Trainer()
    stop.state, trainer.sanity_checking = RunState(agenda=Agenda([])), checks_itself
    asked = []
    for examples in (100, 200, 400):
        stop.state.reported["x"] = (examples, 1.0)
        stop.on_validation_end(trainer, None)  # type: ignore[arg-type]
        asked.append(stop.state.agenda.now)  # type: ignore[union-attr]
    assert asked == [False, False, not checks_itself]
    assert not trainer.should_stop


def test_a_run_that_was_killed_at_its_end_trains_no_further() -> None:
    """Its last checkpoint is of the batch at which the patience was over."""
    stop = EarlyStopping(monitor="x", patience_examples=300)
    stop.state, trainer = RunState(), Trainer()
    stop.load_state_dict({"best": 1.0, "best_at": 100, "newest_at": 399})
    stop.on_train_start(trainer, None)  # type: ignore[arg-type]
    assert not trainer.should_stop
    stop.load_state_dict({"best": 1.0, "best_at": 100, "newest_at": 400})
    stop.on_train_start(trainer, None)  # type: ignore[arg-type]
    assert trainer.should_stop


@pytest.mark.parametrize(("first_rank", "newest_at", "told"), [(True, 0, 1), (True, 100, 0), (False, 0, 0)])
def test_what_is_said_of_a_scalar_that_did_not_come(first_rank: bool, newest_at: int, told: int) -> None:
    """It may have come before the run was killed; and health's scalars are known to the first rank alone."""
    stop = EarlyStopping(monitor="health/energy", patience_examples=300)
    stop.state.reported["loss/total"] = (200, 1.0)
    stop.load_state_dict({"best": 1.0, "best_at": newest_at, "newest_at": newest_at})
    stop.on_train_end(Trainer(is_global_zero=first_rank), None)  # type: ignore[arg-type]
    assert [event["what"] for event in stop.state.write_errors.events] == ["early stopping"] * told


@pytest.mark.parametrize(
    "options",
    [{"mode": "best"}, {"patience_examples": 0}, {"min_delta": -0.1}],
    ids=["mode", "patience", "delta"],
)
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=rf"^{next(iter(options))}="):
        EarlyStopping(**{"monitor": "x", "patience_examples": 1, **options})


class Run:
    """A VQ-VAE whose learning rate is so large that its validation soon gets worse."""

    words: ClassVar = (
        "model=mlp_vqvae model.optimizer.lr=0.02 callback=[checkpoint,record,early_stopping] logger=none "
        "callback.early_stopping.monitor=validation/psnr callback.early_stopping.mode=max "
        "callback.early_stopping.patience_examples=900 trainer.val_every_examples=320 "
        "trainer.max_examples=64000 callback.checkpoint.every_examples=640 accelerator.threads=1"
    ).split()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def train(self, *more: str, code: int = 0) -> None:
        assert main(["train", *self.words, f"paths.run_dir={self.folder}", *more]) == code

    def status(self) -> dict[str, Any]:
        return json.loads((self.folder / "status.json").read_text())

    def psnr(self) -> list[tuple[int, float]]:
        rows = map(json.loads, (self.folder / "metrics.jsonl").read_text().splitlines())
        return [(row["examples"], row["validation/psnr"]) for row in rows if "validation/psnr" in row]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("early") / "whole")
    run.train("accelerator=cpu")
    return run


def test_a_run_stops_where_its_rows_say(whole: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The best value, recomputed from metrics.jsonl, lies the patience before the last one that counted."""
    status, rows = whole.status(), whole.psnr()
    assert status["state"] == "finished"
    assert status["examples_seen"] < 64_000
    counted = [row for row in rows if row[0] < status["examples_seen"]]
    best = max(counted, key=lambda row: (row[1], -row[0]))
    assert counted[-1][0] - best[0] >= 900 > counted[-2][0] - best[0]
    assert status["examples_seen"] == counted[-1][0] + 64, "the batch after that validation"
    assert f"best at {best[0]:,} examples" in status["stopped_early"]["says"]
    assert list(whole.folder.glob(f"checkpoints/{status['examples_seen']:012d}.ckpt"))
    assert main(["resume", str(whole.folder)]) == 0
    told = capsys.readouterr().out
    assert "finished already; a larger callback.early_stopping.patience_examples=..." in told
    assert whole.status()["examples_seen"] == status["examples_seen"]


def test_more_patience_goes_on(whole: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(whole.folder, tmp_path / "more")
    more, before = Run(tmp_path / "more"), whole.status()["examples_seen"]
    assert main(["resume", str(more.folder), "callback.early_stopping.patience_examples=1600"]) == 0
    assert more.status()["examples_seen"] >= before + 640


@pytest.mark.slow
def test_two_ranks_end_at_the_same_batch(tmp_path: Path) -> None:
    """No value is better by 100 dB than the first: float noise between ranks cannot move the end."""
    for name, accelerator in (("alone", "cpu"), ("ranks", "ddp_cpu")):
        run = Run(tmp_path / name)
        run.train(f"accelerator={accelerator}", "callback.early_stopping.min_delta=100")
        assert [examples for examples, _ in run.psnr()] == [320, 640, 960, 1280, 1344]
        assert run.status()["examples_seen"] == 320 + 960 + 64
        assert run.status()["stopped_early"]["waited"] == 960


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(whole: Run, tmp_path: Path) -> None:
    killed = Run(tmp_path / "killed")
    words = ["train", *killed.words, f"paths.run_dir={killed.folder}", "accelerator=cpu"]
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-m", "ganvas", *words], stdout=subprocess.DEVNULL)
        before = set(killed.folder.glob("checkpoints/*.ckpt"))
        until = time.monotonic() + 120
        while process.poll() is None and not set(killed.folder.glob("checkpoints/*.ckpt")) - before:
            assert time.monotonic() < until
            time.sleep(0.005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        words = ["resume", str(killed.folder)]
    assert main(["resume", str(killed.folder)]) == 0
    assert killed.psnr() == whole.psnr()
    assert killed.status()["examples_seen"] == whole.status()["examples_seen"]
    left, right = newest_state(whole.folder), newest_state(killed.folder)
    assert left.keys() == right.keys()
    assert all((left[name] == right[name]).all() for name in left)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["callback=early_stopping"],
            "optimized_metric=null: is no scalar to watch; give callback.early_stopping.mon",
        ),
        (
            ["callback=[record,early_stopping]", "callback.early_stopping.monitor=validation/psnrr"],
            "callback.early_stopping.monitor=validation/psnrr: no run of this config reports it",
        ),
    ],
)
def test_a_scalar_that_never_comes_is_refused(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "model=mlp_vqvae", f"paths.run_dir={tmp_path / 'run'}", *words]) == 2
    assert capsys.readouterr().err.startswith(line)
    assert not (tmp_path / "run").exists()


def test_what_a_sweep_ranks_by_is_watched_if_nothing_else_is(tmp_path: Path, capsys: Any) -> None:
    words = ["--resolve", "callback=early_stopping", "optimized_metric=evaluation/fid"]
    assert main(["train", "--cfg", "job", *words]) == 0
    assert "monitor: evaluation/fid" in capsys.readouterr().out

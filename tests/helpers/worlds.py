"""The same trainings in worlds of one, two and four gloo ranks, all in four processes.

Four processes train every case as one world of four; then the first two as a world of two, while the third
trains alone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist

from ganvas.functional import sharding
from ganvas.functional.sharding import own_share
from ganvas.run.config.build import build
from ganvas.run.prepare import configure, prepare
from ganvas.run.trainer import make_trainer

SIZES = (1, 2, 4)
ENDS_AS = {4: (0, 1, 2, 3), 2: (0, 1), 1: (2,)}  # processes of each world, in the order of their ranks


def train_in_worlds(
    cases: dict[str, list[str]], folder: Path, *, resumed: Sequence[str] = (), unit: int = sharding.UNIT
) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Trains each case (words of the command line) in each world; (case, world, rank) -> what it ended as.

    Args:
        cases: by name; of two steps at least.
        folder: an empty one.
        resumed: cases that are trained once more, from the checkpoint of their second step, as
            ``<name>_resumed``; in the world of one process from the checkpoint of four.
        unit: number of parameters from which a sharded layer is a unit of its own.
    """
    from ganvas.cli.compose.experiment import compose

    configs = {name: compose(words).config for name, words in cases.items()}
    (folder / "configs.json").write_text(
        json.dumps({"unit": unit, "configs": configs, "resumed": list(resumed)})
    )
    start_processes(Path(__file__), str(folder))
    return {
        (name, world, rank): torch.load(folder / f"{name}-{rank}of{world}.pt", weights_only=True)
        for name in (*cases, *(f"{name}_resumed" for name in resumed))
        for world in SIZES
        for rank in range(world)
    }


def start_processes(script: Path, *words: str) -> None:
    """Runs ``script WORDS`` to its end in a process group of its own, and leaves nothing of it behind."""
    with subprocess.Popen(
        [sys.executable, str(script), *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=1000)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output


def fork(count: int, work: Callable[[int], None]) -> int:
    """Calls ``work`` with 0, 1, ... in so many forks of this process, which have imported what it has.

    Nothing may have been computed yet. Where one fails, the others are ended; returns the exit code.
    """
    context = multiprocessing.get_context("fork")

    def run(number: int) -> None:
        faulthandler.dump_traceback_later(900, exit=True)  # where it hangs; a busy machine needs 300
        work(number)
        sys.stdout.flush()
        os._exit(0)  # past the ends of threads that nobody needs any more

    forks = [context.Process(target=run, args=(number,)) for number in range(count)]
    for one in forks:
        one.start()
    while True:
        left = [one.sentinel for one in forks if one.exitcode is None]
        if not left or any(one.exitcode for one in forks):
            break
        multiprocessing.connection.wait(left)
    for one in forks:
        one.kill()
    return int(any(one.exitcode for one in forks))


def close(a: Any, b: Any, *, rtol: float, atol: float, name: str = "") -> None:
    """Asserts that two trees of tensors and numbers are equal within a tolerance."""
    if isinstance(b, dict):
        assert a.keys() == b.keys(), name
        for key in b:
            close(a[key], b[key], rtol=rtol, atol=atol, name=f"{name}.{key}")
    elif isinstance(b, list | tuple):
        assert len(a) == len(b), name
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            close(one, other, rtol=rtol, atol=atol, name=f"{name}.{number}")
    elif isinstance(b, torch.Tensor | float):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol, msg=lambda text: f"{name}: {text}")
    else:
        assert a == b, name


class Dump(pl.Callback):
    """Keeps what every step and every validation reported, and a checkpoint of the second step."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.reports: list[dict[str, float]] = []
        self.validations: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.reports.append({tag: float(value) for tag, value in pl_module.report.items()})
        if trainer.global_step == 2:
            trainer.save_checkpoint(self.checkpoint)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.validations.append(dict(pl_module.validation_report))


def train_one(config: dict[str, Any], run_dir: Path, checkpoint: Path | None = None) -> dict[str, Any]:
    """Trains as run/train_run.py does, without its run folder, from the start or a checkpoint."""
    data, model, options, machine = prepare(config)
    run_dir.mkdir(exist_ok=True)
    dump = Dump(run_dir / "second.ckpt")
    evaluation = (config.get("callback") or {}).get("evaluation")
    callbacks = [dump, *([build(evaluation | {"run_dir": str(run_dir)}, "evaluation")] if evaluation else [])]
    trainer = make_trainer(
        options,
        machine,
        batch_size=data.batch_size,
        callbacks=callbacks,
        loggers=[],
        run_dir=str(run_dir),
    )
    configure(model, options, machine, batch_size=data.batch_size)
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint and str(checkpoint), weights_only=True)
    return {
        "held": {name: own_share(value).numel() for name, value in model.named_parameters()},
        "state": trainer.strategy.lightning_module_state_dict(),
        "optimizers": [trainer.strategy.optimizer_state(optimizer) for optimizer in trainer.optimizers],
        "clock": model.clock(),
        "steps": trainer.global_step,
        "reports": dump.reports,
        "validations": dump.validations,
        "metrics": model.metrics,
    }


def enter(folder: Path, number: int, world: int) -> int | None:
    """Joins process ``number`` to the world of this size; its rank there, or None where it has no place."""
    if number not in ENDS_AS[world]:
        return None
    rank = ENDS_AS[world].index(number)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": "0",
        "GROUP_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
        "TORCHELASTIC_RUN_ID": "worlds",
    }
    if world > 1:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder}/store{world}",
            rank=rank,
            world_size=world,
            timeout=timedelta(seconds=120),
        )
    return rank


def _work(number: int, folder: Path) -> None:
    held = json.loads((folder / "configs.json").read_text())
    configs, sharding.UNIT = held["configs"], held["unit"]
    for world in sorted(SIZES, reverse=True):
        rank = enter(folder, number, world)
        if rank is None:
            continue
        for name, config in configs.items():
            config["accelerator"] |= {"num_nodes": world}
            result = train_one(config, folder / f"{name}of{world}")
            torch.save(result, folder / f"{name}-{rank}of{world}.pt")
            if name in held["resumed"]:
                checkpoint = folder / f"{name}of{4 if world == 1 else world}" / "second.ckpt"
                result = train_one(config, folder / f"{name}_resumedof{world}", checkpoint)
                torch.save(result, folder / f"{name}_resumed-{rank}of{world}.pt")
        if world > 1:
            dist.barrier()
            dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(fork(len(ENDS_AS[4]), partial(_work, folder=Path(sys.argv[1]))))

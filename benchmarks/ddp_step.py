"""Images a second of two CPU ranks against one process with two threads, at the size of a DCGAN.

    python benchmarks/ddp_step.py
    python benchmarks/ddp_step.py --rounds 20 --size 64

All train the same networks (DCGAN, 64 base channels, one channel of colour) with the same fused Adam on the
same global batch: the fakes are made once, the discriminator steps, then the generator.

    one       `ganvas train accelerator=cpu` with two threads: what the others are measured by
    ganvas    two gloo ranks of one thread each: the recipe averages a network's gradients by one flat
              all-reduce after its backward pass; BatchNorm by each rank's share of the batch
    synced    the same with accelerator.sync_batchnorm=true, the default: BatchNorm by the global batch
    joint     plain Lightning on two such ranks: a module of both networks in one DistributedDataParallel with
              find_unused_parameters=True, toggle_optimizer around each backward pass
    two       no Lightning: each network in a DistributedDataParallel of its own, on two such ranks

`joint` and `two` keep no average of G's weights, check no loss and log nothing; ganvas does. All processes
live at the same time and take turns of a few steps; who is not at work waits for a line on its standard
input. Each round gives each side's images a second and its ratio to `one`; printed are the medians over the
rounds and the quartiles of the rounds' ratios. In `joint` and `two` BatchNorm is by each rank's share.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

BATCH = 64  # images, over all ranks
SIDES = {"one": 1, "ganvas": 2, "synced": 2, "joint": 2, "two": 2}  # processes
_LR, _BETAS = 2e-4, (0.5, 0.999)


class Turns:
    """Waits for a turn and says how long it took, every ``steps`` calls."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done, self._began = steps, 0, 0.0

    def before_step(self) -> None:
        if self.done % self.steps == 0:
            if self.done:
                print(f"seconds {time.perf_counter() - self._began}", flush=True)
            if not sys.stdin.readline():
                os._exit(0)
            self._began = time.perf_counter()
        self.done += 1


def work(side: str, rank: int, folder: str, steps: int, size: int) -> None:
    """One process of one side; it ends when its standard input does."""
    import torch
    import torch.distributed as dist

    from ganvas.cli.compose.experiment import compose
    from ganvas.run.prepare import prepare

    world = SIDES[side]
    torch.set_num_threads(2 if world == 1 else 1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/{side}", rank=rank, world_size=world,
                                timeout=timedelta(minutes=5))  # fmt: skip
    config = compose([
        "model=dcgan", "data=digits", f"data.image_size={size}", f"data.batch_size={BATCH}", "callback=none",
        "logger=none", "accelerator=ddp_cpu", "accelerator.devices=1", f"accelerator.num_nodes={world}",
        f"accelerator.threads={3 - world}", "trainer.max_examples=1000000000", "trainer.limit_val_batches=0",
        f"accelerator.sync_batchnorm={side == 'synced'}",
    ]).config  # fmt: skip
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": "0", "GROUP_RANK": str(rank), "WORLD_SIZE": str(world),
                   "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0",
                   "TORCHELASTIC_RUN_ID": "benchmark"}  # fmt: skip
    data, model, options, machine = prepare(config)
    turns = Turns(steps)
    if side in ("one", "ganvas", "synced"):
        _ganvas(data, model, options, machine, turns, folder)
    real = next(iter(data.batches("train", BATCH // world, limit=BATCH // world))).x
    (_joint if side == "joint" else _two)(model, real, turns, world)


def _ganvas(data: Any, model: Any, options: Any, machine: Any, turns: Turns, folder: str) -> None:
    import pytorch_lightning as pl

    from ganvas.run.trainer import make_trainer

    class Pace(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            turns.before_step()

    trainer = make_trainer(options, machine, batch_size=BATCH, train_samples=data.num_samples("train"),
                           callbacks=[Pace()], loggers=[], run_dir=folder)  # fmt: skip
    model.log_every(options.log_every_examples, BATCH)
    trainer.fit(model, datamodule=data)


def _optimizers(model: Any) -> list[Any]:
    import torch

    networks = model.generator, model.discriminator
    return [torch.optim.Adam(one.parameters(), lr=_LR, betas=_BETAS, fused=True) for one in networks]


def _loss(discriminator: Callable[..., Any], real: Any, fake: Any) -> Any:
    from torch.nn.functional import softplus

    return softplus(-discriminator(real)).mean() + softplus(discriminator(fake.detach())).mean()


def _joint(model: Any, real: Any, turns: Turns, world: int) -> None:
    import pytorch_lightning as pl
    import torch
    from torch.nn.functional import softplus

    class Plain(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.discriminator = model.generator, model.discriminator

        def configure_optimizers(self) -> Any:
            return _optimizers(model)

        def training_step(self, batch: Any, batch_idx: int) -> None:
            optimizers: Any = self.optimizers()
            optimizer_g, optimizer_d = optimizers
            fake = self.generator(torch.randn(len(real), model.latent_dim))
            self.toggle_optimizer(optimizer_d)
            optimizer_d.zero_grad()
            self.manual_backward(_loss(self.discriminator, real, fake))
            optimizer_d.step()
            self.untoggle_optimizer(optimizer_d)
            self.toggle_optimizer(optimizer_g)
            optimizer_g.zero_grad()
            self.manual_backward(softplus(-self.discriminator(fake)).mean())
            optimizer_g.step()
            self.untoggle_optimizer(optimizer_g)

        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            turns.before_step()

    batches: Any = torch.utils.data.DataLoader(range(10**9), batch_size=1)  # type: ignore[arg-type]
    pl.Trainer(
        accelerator="cpu", devices=1, num_nodes=world, strategy="ddp_find_unused_parameters_true",
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    ).fit(Plain(), batches)  # fmt: skip


def _two(model: Any, real: Any, turns: Turns, world: int) -> None:
    import torch
    from torch.nn.functional import softplus
    from torch.nn.parallel import DistributedDataParallel

    generator = DistributedDataParallel(model.generator, broadcast_buffers=False)
    discriminator = DistributedDataParallel(model.discriminator, broadcast_buffers=False)
    optimizer_g, optimizer_d = _optimizers(model)
    parameters = list(model.discriminator.parameters())
    while True:
        turns.before_step()
        fake = generator(torch.randn(len(real), model.latent_dim))
        optimizer_d.zero_grad()
        _loss(discriminator, real, fake).backward()
        optimizer_d.step()
        for parameter in parameters:
            parameter.requires_grad_(False)
        optimizer_g.zero_grad()
        softplus(-model.discriminator(fake)).mean().backward()
        optimizer_g.step()
        for parameter in parameters:
            parameter.requires_grad_(True)


def _start(side: str, rank: int, folder: str, steps: int, size: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "2" if SIDES[side] == 1 else "1"}
    words = [sys.executable, __file__, "--worker", side, str(rank), folder, str(steps), str(size)]
    return subprocess.Popen(words, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)  # fmt: skip


def _turn(processes: list[subprocess.Popen[str]]) -> float:
    """Lets one side make its steps; the seconds of its slowest process."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = []
    for process in processes:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("seconds "):
                taken.append(float(line.split()[1]))
                break
        else:
            raise RuntimeError(f"a process ended: {process.args!r}")
    return max(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side")
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    parser.add_argument("--size", type=int, default=32, choices=(16, 32, 64), help="pixels a side")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        started = {
            side: [_start(side, rank, folder, arguments.steps, arguments.size) for rank in range(count)]
            for side, count in SIDES.items()
        }
        for processes in started.values():
            for process in processes:
                stack.callback(process.kill)
        # The first turn warms up, and its time is reported at the second's begin.
        speeds: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(arguments.rounds + 1):
            order = list(SIDES)
            random.Random(number).shuffle(order)
            for side in order:
                seconds = _turn(started[side])
                if number:
                    speeds[side].append(arguments.steps * BATCH / seconds)
    turns = f"{arguments.rounds} rounds of {arguments.steps} steps"
    print(f"DCGAN, {arguments.size} px, global batch {BATCH}, {turns}")
    for side, values in speeds.items():
        ratios = [value / one for value, one in zip(values, speeds["one"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        speed = statistics.median(values)
        print(f"{side:8} {speed:8.1f} images/s   {middle:5.2f} [{low:.2f}, {high:.2f}] of one")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
    else:
        main()

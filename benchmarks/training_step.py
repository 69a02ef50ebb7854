"""Time of a training step of `ganvas train` against the same step in a bare PyTorch loop.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py
    OMP_NUM_THREADS=1 python benchmarks/training_step.py --options

What is measured: the time from the end of one batch to the end of the next inside `trainer.fit`, in a run
that the command line's own code composes and starts: Lightning's loop, the transfer and normalization of the
batch, the recipe, and every default callback but the evaluation (previews and checkpoints at the ends, no
validation), with its scalars to TensorBoard and metrics.jsonl at the default interval.

    peer        no Lightning, no callbacks: copies of the same networks, the same losses, the same fused Adam,
                the same loader and normalization; one fake batch for both networks, no gradients of D in G's
                step, an average of G's weights; it reads its losses at the interval at which the run logs
    --options   a second `ganvas train` in a thread, alike but for the option: what the option is worth

Both sides take turns of a few steps in one process, so that they meet the same machine. A block is a few
turns: with the perceptrons two whole intervals between logs; elsewhere a log is less than the noise. `cpu` is
the process' time, `wall` the clock's, which other work on the machine spoils first. The ratio is that of the
medians over the blocks, the spread the quartiles of the blocks' own ratios. Fashion-MNIST is read from where
the system's package puts it (--data for another folder).
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from ganvas.cli.compose.experiment import compose
from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading.loader import TensorLoader
from ganvas.functional.images import to_float
from ganvas.model.gan import GAN
from ganvas.model.vqvae import VQVAE
from ganvas.run import train_run

# name: overrides, steps of a turn, turns of a block, goal
CASES: dict[str, tuple[list[str], int, int, float | None]] = {
    "MLP GAN, 28 px, batch 128": (["model=mlp_gan", "data.batch_size=128"], 15, 2, 1.12),
    "MLP VQ-VAE, 28 px, batch 128": (["model=mlp_vqvae", "data.batch_size=128"], 15, 2, 1.12),
    "VQ-VAE, 28 px, batch 64": (["model=vqvae"], 2, 4, 1.02),
    "DCGAN, 32 px, batch 64": (["model=dcgan"], 2, 4, 1.05),
}
OPTIONS = (
    "accelerator.matmul_precision=medium",
    "accelerator.channels_last=false",
    "accelerator.precision=bf16-mixed",
)
COMMON = (
    "data=fashion_mnist",
    "accelerator=cpu",
    "trainer.max_examples=null",
    "trainer.max_steps=1000000",
    "trainer.limit_val_batches=0",
    "callback.evaluation=null",
    "callback.preview.every_examples=0",
    "callback.checkpoint.every_examples=0",
)


class BareGAN:
    """The GAN's step as a careful person writes it without a framework."""

    def __init__(self, model: GAN) -> None:
        self.latent_dim, self.loss = model.latent_dim, model.adversarial_loss
        self.generator = copy.deepcopy(model.generator)
        self.discriminator = copy.deepcopy(model.discriminator)
        self.generator_optimizer = model.generator_optimizer(self.generator.parameters())
        self.discriminator_optimizer = model.discriminator_optimizer(self.discriminator.parameters())
        average = copy.deepcopy(self.generator).requires_grad_(False)
        self.averages: list[Tensor] = list(average.parameters())
        self.weights: list[Tensor] = list(self.generator.parameters())
        self.average_buffers, self.buffers = list(average.buffers()), list(self.generator.buffers())

    def step(self, real: Tensor, log: bool) -> None:
        fake = self.generator(torch.randn(len(real), self.latent_dim))
        loss = self.loss.discriminator(
            real_logits=self.discriminator(real), fake_logits=self.discriminator(fake.detach())
        )
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()

        self.discriminator.requires_grad_(False)
        generator_loss = self.loss.generator(fake_logits=self.discriminator(fake))
        self.generator_optimizer.zero_grad()
        generator_loss.backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)

        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights, 0.0044)
            if self.buffers:
                torch._foreach_copy_(self.average_buffers, self.buffers)
        if log:
            self.newest = loss.item(), generator_loss.item()


class BareVQVAE:
    """The VQ-VAE's step without a framework."""

    def __init__(self, model: VQVAE) -> None:
        self.encoder, self.quantizer, self.decoder = copy.deepcopy(
            (model.encoder, model.quantizer, model.decoder)
        )
        self.loss = model.reconstruction_loss
        parameters = [p for part in (self.encoder, self.quantizer, self.decoder) for p in part.parameters()]
        self.optimizer = model.optimizer(parameters)

    def step(self, x: Tensor, log: bool) -> None:
        output = self.quantizer(self.encoder(x))
        reconstruction_loss = self.loss(reconstruction=self.decoder(output.quantized), target=x)
        loss = reconstruction_loss + output.loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if log:
            self.newest = loss.item(), reconstruction_loss.item()


class BareLoop:
    """The other side: steps of a bare loop over the run's own data."""

    def start(self, model: Any, data: TensorDataModule) -> None:
        self.recipe = BareGAN(model) if isinstance(model, GAN) else BareVQVAE(model)
        self.batches, self.log_every, self.done = self._batches(data), model.log_every_batches, 0

    def _batches(self, data: TensorDataModule) -> Iterator[Tensor]:
        loader = TensorLoader(data.split("train"), batch_size=data.batch_size, seed=1, training=True)
        while True:
            for stored in loader:
                yield to_float(stored.x)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self.recipe.step(next(self.batches), self.done % self.log_every == 0)
            self.done += 1

    def close(self) -> None: ...


class OtherRun(pl.Callback):
    """The other side: a second run in a thread, which goes on for as many steps as it is told and waits."""

    def __init__(self, overrides: Sequence[str]) -> None:
        self.overrides = overrides
        self.go, self.there = threading.Semaphore(0), threading.Semaphore(0)
        self.left, self.ends = 0, False
        self.matmul_precision = "highest"

    def start(self, model: Any, data: TensorDataModule) -> None:
        mine = torch.get_float32_matmul_precision()
        self.thread = threading.Thread(target=run, args=(self.overrides, self), daemon=True)
        self.thread.start()
        self.there.acquire()
        self.matmul_precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(mine)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            self.there.release()
            self.go.acquire()
        trainer.should_stop = self.ends

    def advance(self, steps: int) -> None:
        mine = torch.get_float32_matmul_precision()  # of the process, not of the thread
        torch.set_float32_matmul_precision(self.matmul_precision)
        self.left = steps
        self.go.release()
        self.there.acquire()
        torch.set_float32_matmul_precision(mine)

    def close(self) -> None:
        self.ends = True
        self.go.release()
        self.thread.join()


class Stopwatch(pl.Callback):
    """Rides on the measured run; after each of its turns the other side has one.

    Attributes:
        blocks: (own cpu, own wall, other's cpu, other's wall), seconds a step.
    """

    def __init__(self, other: BareLoop | OtherRun, turn: int, turns: int, blocks: int, warm_up: int) -> None:
        self.other, self.turn, self.turns, self.wanted, self.warm_up = other, turn, turns, blocks, warm_up
        self.blocks: list[list[float]] = []
        self._seen, self._sums, self._turns_done = 0, [0.0] * 4, 0
        self._began = 0.0, 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.other.start(pl_module, trainer.datamodule)  # type: ignore[attr-defined]

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._seen += 1
        if self._seen % self.turn:
            return
        end = time.process_time(), time.perf_counter()
        self.other.advance(self.turn)
        after = time.process_time(), time.perf_counter()
        if self._seen > self.warm_up:
            own, others = zip(self._began, end), zip(end, after)
            parts = [later - earlier for earlier, later in (*own, *others)]
            self._sums = [total + part for total, part in zip(self._sums, parts)]
            self._turns_done += 1
            if self._turns_done == self.turns:
                steps = self.turn * self.turns
                self.blocks.append([total / steps for total in self._sums])
                self._sums, self._turns_done = [0.0] * 4, 0
        if len(self.blocks) == self.wanted:
            trainer.should_stop = True
        self._began = time.process_time(), time.perf_counter()


def run(overrides: Sequence[str], extra: pl.Callback) -> None:
    """What `ganvas train` does, with one more callback behind the others."""
    with tempfile.TemporaryDirectory() as folder:
        config = compose([*COMMON, *overrides, f"paths.output_dir={folder}"]).config
        train_run.make_trainer = _with(extra)
        outcome = train_run.train({"ganvas": {}, "config": config})
        assert outcome.state == "finished", outcome


def _with(extra: pl.Callback) -> Any:
    def make(*arguments: Any, callbacks: list[pl.Callback], **options: Any) -> pl.Trainer:
        return _MAKE_TRAINER(*arguments, callbacks=[*callbacks, extra], **options)

    return make


_MAKE_TRAINER = train_run.make_trainer


def measure(name: str, blocks: int, other: BareLoop | OtherRun, overrides: Sequence[str]) -> Stopwatch:
    _, turn, turns, _ = CASES[name]
    watch = Stopwatch(other, turn, turns, blocks, warm_up=turn * turns)
    run(overrides, watch)
    other.close()
    return watch


def row(name: str, watch: Stopwatch, goal: float | None, *, inverse: bool = False) -> None:
    """Prints the ratio own : other (``inverse``: other : own)."""
    columns = list(zip(*watch.blocks))
    cells = []
    for own, other in ((0, 2), (1, 3)):
        top, bottom = (columns[other], columns[own]) if inverse else (columns[own], columns[other])
        ratio = statistics.median(top) / statistics.median(bottom)
        low, _, high = statistics.quantiles([a / b for a, b in zip(top, bottom)], n=4)
        cells.append(f"{ratio:6.3f} [{low:.3f}, {high:.3f}]")
    own_ms, other_ms = (1000 * statistics.median(columns[i]) for i in (0, 2))
    end = "" if goal is None else f"  goal {goal:.2f}"
    print(
        f"{name:48} cpu {cells[0]}  wall {cells[1]}  {own_ms:8.3f} / {other_ms:8.3f} ms cpu"
        f"  {len(watch.blocks)} blocks{end}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step of ganvas against a bare loop.")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--options", action="store_true", help="options against the default step instead")
    parser.add_argument("--data", default=None, help="folder of Fashion-MNIST")
    arguments = parser.parse_args()
    if not any(arguments.only.lower() in name.lower() for name in CASES):
        parser.error(f"--only {arguments.only}: there are " + "; ".join(CASES))
    torch.set_num_threads(arguments.threads)
    data = [f"data.root={arguments.data}"] if arguments.data else []
    print(
        f"torch {torch.__version__} lightning {pl.__version__} threads {arguments.threads} "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    print("option : default" if arguments.options else "ganvas : bare loop")
    for name, (overrides, _, _, goal) in CASES.items():
        if arguments.only.lower() not in name.lower():
            continue
        if not arguments.options:
            row(name, measure(name, arguments.blocks, BareLoop(), [*overrides, *data]), goal)
            continue
        for option in OPTIONS if "GAN" in name else ():
            other = OtherRun([*overrides, *data, option])
            watch = measure(name, arguments.blocks, other, [*overrides, *data])
            row(f"{name.partition(',')[0]}, {option.partition('.')[2]}", watch, None, inverse=True)


if __name__ == "__main__":
    main()

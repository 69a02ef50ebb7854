"""A GAN's step of `ganvas train` against the same step in public code, and what a gradient penalty costs.

    pip install --no-deps --target mimicry torch-mimicry
    OMP_NUM_THREADS=1 python benchmarks/gan_steps.py --mimicry mimicry

What is measured: as in training_step.py, whose machinery this is: the time from the end of one batch to the
end of the next inside `ganvas train`, against as many steps of the other side, in turns, in one process.

    SNGAN     torch-mimicry's networks, its train_step of either network and its Adam, at its channels (256
              and 128) in 3x32x32 pixels, 5 discriminator steps to one of the generator: a turn is 5 batches.
              Its package imports TensorFlow and torchvision for what does not train: its networks are
              imported without them. Memory is in rows, as in its trainer; it enlarges maps bilinearly.
    DCGAN     pytorch/examples' loop as it is published (the networks are those of dcgan_reference.py, with
              equal widths and batch): memory in rows, and the discriminator's own gradients computed in the
              generator's step too. "careful": dcgan_reference.py's own step, which does without both.
    R1 + R2   `ganvas train` with both penalties against `ganvas train` without: relativistic pairs on both
              sides, R3GAN's networks of 128 channels and one block a stage, and the DCGAN without BatchNorm.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from dcgan_reference import Recipe, cross_entropy
from ganvas.data.datamodule import TensorDataModule
from training_step import BareLoop, OtherRun, Stopwatch, row, run

R3GAN = (
    "model=r3gan",
    "model.generator.widths=[128,128,128,128]",
    "model.discriminator.widths=[128,128,128,128]",
    "model.generator.blocks=1",
    "model.discriminator.blocks=1",
    "data.batch_size=16",
)
DCGAN = ("model=dcgan", "model/adversarial_loss=rpgan", "model.discriminator.norm=none")
MIMICRY = "https://github.com/kwotsin/mimicry, by pip install --no-deps --target FOLDER torch-mimicry"


class MimicrySNGAN:
    """torch-mimicry's SNGAN of 32 pixels with its own training steps."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        for name in ("torch_mimicry", "torch_mimicry.training"):  # whose own code imports TensorFlow
            package = types.ModuleType(name)
            package.__path__ = [str(folder.joinpath(*name.split(".")))]
            sys.modules[name] = package
        networks = importlib.import_module("torch_mimicry.nets.sngan.sngan_32")
        self.metric_log = importlib.import_module("torch_mimicry.training.metric_log").MetricLog
        self.generator, self.discriminator = (
            networks.SNGANGenerator32(),
            networks.SNGANDiscriminator32(),
        )
        adam = partial(torch.optim.Adam, lr=2e-4, betas=(0.0, 0.9))  # as its examples have it
        self.generator_optimizer = adam(self.generator.parameters())
        self.discriminator_optimizer = adam(self.discriminator.parameters())
        self.steps = 0

    def step(self, real: Tensor, log: bool) -> None:
        device = torch.device("cpu")
        batch = real, torch.zeros(len(real), dtype=torch.int64)
        common = {"real_batch": batch, "device": device, "log_data": self.metric_log()}
        self.discriminator.train_step(netG=self.generator, optD=self.discriminator_optimizer, **common)
        self.steps += 1
        if self.steps % 5 == 0:
            self.generator.train_step(netD=self.discriminator, optG=self.generator_optimizer, **common)


class CarefulDCGAN(Recipe):
    """The step of dcgan_reference.py."""

    def step(self, real: Tensor, log: bool = False) -> tuple[float, float]:
        return super().step(real.contiguous(memory_format=torch.channels_last))


class PublishedDCGAN(Recipe):
    """The step as pytorch/examples has it."""

    def __init__(self) -> None:
        super().__init__()
        for network in (self.generator, self.discriminator):
            network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def step(self, real: Tensor, log: bool = False) -> tuple[float, float]:
        self.discriminator.zero_grad()
        real_loss = cross_entropy(self.discriminator(real), 1.0)
        real_loss.backward()
        fake = self.generator(torch.randn(len(real), 100, 1, 1))
        fake_loss = cross_entropy(self.discriminator(fake.detach()), 0.0)
        fake_loss.backward()
        self.discriminator_optimizer.step()

        self.generator.zero_grad()
        generator_loss = cross_entropy(self.discriminator(fake), 1.0)
        generator_loss.backward()
        self.generator_optimizer.step()
        return (real_loss + fake_loss).item(), generator_loss.item()


class PeerLoop(BareLoop):
    """The other side: a peer's steps over the run's own data."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer

    def start(self, model: Any, data: TensorDataModule) -> None:
        self.recipe = self.peer
        self.batches, self.log_every, self.done = self._batches(data), model.log_every_batches, 0


def main() -> None:
    parser = argparse.ArgumentParser(description="A GAN's training step of ganvas against public code.")
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--data", default=None, help="folder of Fashion-MNIST")
    parser.add_argument(
        "--mimicry", type=Path, default=None, help=f"folder that holds torch_mimicry: {MIMICRY}"
    )
    parser.add_argument("--batch", type=int, default=64, help="images of SNGAN's batch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    root = [f"data.root={arguments.data}"] if arguments.data else []
    sngan = ["model=sngan", "data=stacked_digits", f"data.batch_size={arguments.batch}"]

    def penalized(networks: tuple[str, ...]) -> tuple[list[str], Any]:
        with_penalty = [*networks, *root, "model/gradient_penalty=r1_r2"]
        return with_penalty, lambda: OtherRun([*networks, *root, "model/gradient_penalty=none"])

    # name: overrides, what the other side is, steps of a turn, turns of a block, goal
    cases: dict[str, tuple[list[str], Any, int, int, float]] = {
        "DCGAN against pytorch/examples": (
            ["model=dcgan", *root],
            lambda: PeerLoop(PublishedDCGAN()),
            *(2, 4, 1.0),
        ),
        "DCGAN against a careful loop": (["model=dcgan", *root], lambda: PeerLoop(CarefulDCGAN()), 2, 4, 1.0),
        "R1 + R2 against none, R3GAN": (*penalized(R3GAN), 2, 2, 1.9),
        "R1 + R2 against none, DCGAN": (*penalized(DCGAN), 2, 4, 1.9),
        "SNGAN against torch-mimicry": (
            sngan,
            lambda: PeerLoop(MimicrySNGAN(arguments.mimicry)),
            *(5, 1, 0.8),
        ),
    }
    chosen = {name: case for name, case in cases.items() if arguments.only.lower() in name.lower()}
    if not chosen:
        parser.error(f"--only {arguments.only}: there are " + "; ".join(cases))
    print(
        f"torch {torch.__version__} lightning {pl.__version__} threads {arguments.threads} "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    print("ganvas : the other side")
    for name, (overrides, other, turn, turns, goal) in chosen.items():
        if "mimicry" in name and arguments.mimicry is None:
            print(f"{name:48} left out: --mimicry FOLDER ({MIMICRY})")
            continue
        torch.manual_seed(0)
        side = other()
        watch = Stopwatch(side, turn, turns, arguments.blocks, warm_up=turn * turns)
        run(overrides, watch)
        side.close()
        row(name, watch, goal)


if __name__ == "__main__":
    main()

"""The plain DCGAN recipe in bare PyTorch: the peer against which ganvas' GAN experiments are measured.

    OMP_NUM_THREADS=1 python benchmarks/dcgan_reference.py --images 600000 --seed 1 --threads 1 --out DIR

What is measured: the quality of the samples that the common public recipe reaches after a number of images,
without anything that ganvas adds. Nothing of ganvas is imported. The settings are those of pytorch/examples
(Radford 2015), written anew: latents of 100 numbers, width 64, batch 64, binary cross entropy on the logits
(equal to a sigmoid and BCE), Adam 2e-4 with betas (0.5, 0.999) for both networks, convolutions N(0, 0.02),
BatchNorm weights N(1, 0.02), one discriminator step (real and fake batch in separate passes, so that each
has its own batch statistics) and one generator step per batch, on the same fake images; no average of the
weights, a reshuffle each epoch, the short last batch kept.

Data: Fashion-MNIST (Zalando SE, MIT licence), the first 55,000 rows of the training file, in [-1, 1], padded
from 28 to 32 px by two black pixels on each side; therefore the networks are one stage shorter than at 64 px.

Two departures that alter float noise at most: memory in channels-last order, and no weight gradients of
the discriminator in the generator's step (the recipe computes them and throws them away).

Written to DIR:
    generator.pt           state dict after the last step (`generator_<images>.pt` on the way, as insurance)
    samples.npz            `images`, uint8 [10000, 32, 32, 1], batch statistics of 64 latents, as the recipe
                           samples (it never calls eval())
    samples_eval.npz       the same latents with BatchNorm's running statistics
    reference.json         settings, seconds, images per second
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LATENT = 100  # numbers per latent
WIDTH = 64  # channels of the layer next to the image
BATCH = 64  # images
TRAIN_ROWS = 55_000  # the first rows of the training file
SAMPLES = 10_000
SAMPLE_SEED = 20_000


def load_images(folder: Path) -> Tensor:
    """Returns float32 [55000, 1, 32, 32] in [-1, 1]."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        content = file.read()
    pixels = torch.frombuffer(bytearray(content[16:]), dtype=torch.uint8).view(-1, 1, 28, 28)[:TRAIN_ROWS]
    return F.pad(pixels, (2, 2, 2, 2)).float() / 127.5 - 1


def make_generator() -> nn.Sequential:
    """[B, 100, 1, 1] -> [B, 1, 32, 32] in [-1, 1]."""

    def stage(into: int, out: int, stride: int, padding: int) -> list[nn.Module]:
        convolution = nn.ConvTranspose2d(into, out, 4, stride, padding, bias=False)
        return [convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *stage(LATENT, 4 * WIDTH, 1, 0),  # 256 x 4 x 4
        *stage(4 * WIDTH, 2 * WIDTH, 2, 1),  # 128 x 8 x 8
        *stage(2 * WIDTH, WIDTH, 2, 1),  # 64 x 16 x 16
        nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False),  # 1 x 32 x 32
        nn.Tanh(),
    )


def make_discriminator() -> nn.Sequential:
    """[B, 1, 32, 32] in [-1, 1] -> logits [B, 1, 1, 1]; no BatchNorm next to the image."""

    def stage(into: int, out: int) -> list[nn.Module]:
        convolution = nn.Conv2d(into, out, 4, 2, 1, bias=False)
        return [convolution, nn.BatchNorm2d(out), nn.LeakyReLU(0.2, inplace=True)]

    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 4, 2, 1, bias=False),  # 64 x 16 x 16
        nn.LeakyReLU(0.2, inplace=True),
        *stage(WIDTH, 2 * WIDTH),  # 128 x 8 x 8
        *stage(2 * WIDTH, 4 * WIDTH),  # 256 x 4 x 4
        nn.Conv2d(4 * WIDTH, 1, 4, 1, 0, bias=False),
    )


def initialize(module: nn.Module) -> None:
    """Radford 2015, section 4: convolutions N(0, 0.02); BatchNorm weights N(1, 0.02), biases zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Mean binary cross entropy of logits against one target for the whole batch."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


class Recipe:
    """Both networks, both optimizers and the step."""

    def __init__(self) -> None:
        self.generator = make_generator().apply(initialize).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = make_discriminator().apply(initialize).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        adam = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))
        self.generator_optimizer = adam(self.generator.parameters())
        self.discriminator_optimizer = adam(self.discriminator.parameters())

    def step(self, real: Tensor) -> tuple[float, float]:
        """One step of each network; returns their losses (discriminator, generator)."""
        fake = self.generator(torch.randn(len(real), LATENT, 1, 1))

        self.discriminator_optimizer.zero_grad()
        real_loss = cross_entropy(self.discriminator(real), 1.0)
        real_loss.backward()
        fake_loss = cross_entropy(self.discriminator(fake.detach()), 0.0)
        fake_loss.backward()
        self.discriminator_optimizer.step()

        self.discriminator.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        generator_loss = cross_entropy(self.discriminator(fake), 1.0)
        generator_loss.backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        return (real_loss + fake_loss).item(), generator_loss.item()


@torch.no_grad()
def sample(generator: nn.Module, training: bool) -> np.ndarray:
    """uint8 [10000, 32, 32, 1]; the latents are a function of the fixed seed alone.

    Args:
        training: whether BatchNorm uses the statistics of each batch of 64 instead of the running ones.
    """
    generator.train(training)
    draws = torch.Generator().manual_seed(SAMPLE_SEED)
    rows = []
    for _ in range(-(-SAMPLES // BATCH)):  # full batches alone: a short one would have other statistics
        images = generator(torch.randn(BATCH, LATENT, 1, 1, generator=draws))  # [-1, 1]
        rows.append(images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8))
    return torch.cat(rows)[:SAMPLES].permute(0, 2, 3, 1).contiguous().numpy()


def train(recipe: Recipe, images: Tensor, budget: int, out: Path) -> float:
    """Trains until ``budget`` images were seen; returns the seconds it took."""
    start = since = time.perf_counter()
    seen = step = counted = 0
    while seen < budget:
        for rows in torch.randperm(len(images)).split(BATCH):
            real = images[rows].contiguous(memory_format=torch.channels_last)
            discriminator_loss, generator_loss = recipe.step(real)
            seen, step = seen + len(rows), step + 1
            if step % 500 == 0 or seen >= budget:
                now = time.perf_counter()
                print(
                    f"step {step} images {seen} D {discriminator_loss:.4f} G {generator_loss:.4f} "
                    f"images/s {(seen - counted) / (now - since):.1f} minutes {(now - start) / 60:.1f}",
                    flush=True,
                )
                since, counted = now, seen
            if seen >= budget:
                break
            if step % 1500 == 0:
                torch.save(recipe.generator.state_dict(), out / f"generator_{seen}.pt")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="The plain DCGAN recipe on Fashion-MNIST, 32 px.")
    parser.add_argument("--images", type=int, default=600_000, help="real images to train on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("/usr/share/datasets/fashion-mnist"),
        help="folder of the IDX files (default: where Debian's package dataset-fashion-mnist puts them)",
    )
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    images = load_images(arguments.data)
    recipe = Recipe()
    sizes = {
        name: sum(p.numel() for p in network.parameters())
        for name, network in (("generator", recipe.generator), ("discriminator", recipe.discriminator))
    }
    print(f"torch {torch.__version__} seed {arguments.seed} parameters {sizes}", flush=True)

    seconds = train(recipe, images, arguments.images, arguments.out)
    torch.save(recipe.generator.state_dict(), arguments.out / "generator.pt")
    np.savez_compressed(arguments.out / "samples_eval.npz", images=sample(recipe.generator, training=False))
    np.savez_compressed(arguments.out / "samples.npz", images=sample(recipe.generator, training=True))
    report = {
        "images": arguments.images,
        "seed": arguments.seed,
        "threads": arguments.threads,
        "train_rows": len(images),
        "sample_seed": SAMPLE_SEED,
        "parameters": sizes,
        "seconds": round(seconds, 1),
        "images_per_second": round(arguments.images / seconds, 1),
        "torch": torch.__version__,
    }
    (arguments.out / "reference.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"done {json.dumps(report)}", flush=True)


if __name__ == "__main__":
    main()

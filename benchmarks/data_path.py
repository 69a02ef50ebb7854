"""Images per second of ganvas' in-memory data path against Dataset + PIL + DataLoader.

    OMP_NUM_THREADS=1 python benchmarks/data_path.py

What is measured: one epoch of Fashion-MNIST's 55,000 training images, 28x28, batch 64, shuffled, from the
data in memory to float32 batches [64, 1, 28, 28] in [-1, 1] with int64 labels, in this process, CPU only.

    ganvas    TensorLoader (one gather a batch) and the data module's normalization of the whole batch, both
              as `ganvas train` runs them; no augmentation
    peer      the path of torchvision's MNIST with ToTensor and Normalize((0.5,), (0.5,)), written anew as
              torchvision may be absent: each item becomes a PIL image, a uint8 array, a float tensor
              divided by 255, is normalized out of place, and torch's DataLoader collates (num_workers=0)

Both paths are first shown to give the same values and labels for the same rows (to 1e-6). After a short
warm-up, rounds are interleaved: half of ganvas' epochs, one epoch of the peer (it takes seconds), the other
half. The metrics are medians over the rounds; the range of the rounds' ratios says how quiet the
machine was.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.fashion_mnist import FashionMNIST
from ganvas.data.loading.stored import Stored

BATCH = 64  # images
EPOCHS = 10  # of ganvas in a round, so that both paths are timed over seconds
GOAL = 50  # ratio that ganvas promises


class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Item by item through PIL, as torchvision's MNIST with ToTensor and Normalize."""

    def __init__(self, stored: Stored) -> None:
        assert stored.label is not None
        self.images, self.labels = stored.x[:, 0], stored.label  # uint8 [N, 28, 28], int64 [N]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image, label = self.images[row], int(self.labels[row])
        return normalize(to_tensor(Image.fromarray(image.numpy()))), label


def to_tensor(image: Image.Image) -> Tensor:
    """A grey image as float32 [1, H, W] in [0, 1]."""
    pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
    pixels = pixels.view(image.height, image.width, 1).permute(2, 0, 1).contiguous()
    return pixels.to(torch.float32).div(255)


def normalize(image: Tensor) -> Tensor:
    """[0, 1] to [-1, 1], by channel, in a copy."""
    mean = torch.as_tensor((0.5,), dtype=image.dtype).view(-1, 1, 1)
    deviation = torch.as_tensor((0.5,), dtype=image.dtype).view(-1, 1, 1)
    return image.clone().sub_(mean).div_(deviation)


def ganvas_batches(data: TensorDataModule) -> Iterator[tuple[Tensor, Tensor | None]]:
    for stored in data.train_dataloader():
        batch = data.on_after_batch_transfer(stored, 0)
        yield batch.x, batch.label


def require_equal(data: TensorDataModule) -> None:
    """Both paths hand out the same images and labels; the first batch of ganvas' order is compared."""
    stored = next(iter(data.train_dataloader()))
    ours = data.on_after_batch_transfer(stored, 0)
    dataset = ImageDataset(data.split("train"))
    images, labels = zip(*(dataset[row] for row in stored.row.tolist()))
    torch.testing.assert_close(ours.x, torch.stack(images), rtol=0, atol=1e-6)
    assert ours.label is not None
    assert ours.label.tolist() == list(labels)


def images_per_second(batches: Iterator[tuple[Tensor, Tensor | None]], limit: int | None = None) -> float:
    """Runs through the batches (at most ``limit``)."""
    seen, start = 0, time.perf_counter()
    for number, (x, _) in enumerate(batches, 1):
        assert x.dtype == torch.float32
        seen += len(x)
        if number == limit:
            break
    return seen / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="ganvas' in-memory loader against Dataset + PIL + DataLoader."
    )
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each path")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument(
        "--data", default=None, help="folder of Fashion-MNIST (default: the system's package)"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    data = FashionMNIST(root=arguments.data, batch_size=BATCH)
    data.prepare()
    require_equal(data)
    peer = DataLoader(ImageDataset(data.split("train")), BATCH, shuffle=True, drop_last=True)
    print(
        f"torch {torch.__version__} pillow {Image.__version__} threads {arguments.threads} "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    images_per_second(ganvas_batches(data), limit=50)
    images_per_second(iter(peer), limit=50)

    rounds: list[tuple[float, float]] = []
    for number in range(1, arguments.rounds + 1):
        ours = [images_per_second(ganvas_batches(data)) for _ in range(EPOCHS // 2)]
        theirs = images_per_second(iter(peer))
        ours += [images_per_second(ganvas_batches(data)) for _ in range(EPOCHS // 2)]
        rounds.append((statistics.harmonic_mean(ours), theirs))
        print(
            f"round {number}: ganvas {rounds[-1][0]:,.0f} images/s, peer {theirs:,.0f} images/s", flush=True
        )
    median, peer_median = (statistics.median(column) for column in zip(*rounds))
    ratios = [mine / other for mine, other in rounds]
    print(f"median: ganvas {median:,.0f} images/s, peer {peer_median:,.0f} images/s")
    print(
        f"ratio {median / peer_median:.1f}, by round {min(ratios):.1f} to {max(ratios):.1f} "
        f"(goal: at least {GOAL})"
    )


if __name__ == "__main__":
    main()

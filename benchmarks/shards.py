"""Images per second of data=webdataset against the webdataset library and against data=image_folder.

    OMP_NUM_THREADS=1 python benchmarks/shards.py
    OMP_NUM_THREADS=1 python benchmarks/shards.py --images FOLDER --workers 2

What is measured: an epoch of shuffled training batches as they leave the loader, uint8 [64, 3, 64, 64].
Images and shards are in the page cache. Without --images, 2,000 JPEGs of 256x256 (smooth colours with
noise, quality 90) are made in a folder that is removed again; shards hold 500 each.

    webdataset    ganvas: random access by an index, mixed in windows of 1,024, order a function of the seed
    library       the webdataset package (pip install webdataset==1.0.2; it is no dependency of ganvas):
                  shards shuffled, each worker reads whole shards into a shuffle buffer of 1,000, batches are
                  collated; it decodes by the same function as ganvas
    image_folder  ganvas: images decoded once into a cache (the time of that is printed), then gathered

With 0 workers ganvas decodes in up to 8 threads and the library in one; else both in so many processes.
Rounds are interleaved; ratios are medians over the rounds, with their range. The library is left out where it
is not installed.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganvas.data.files.decode import Decoding, decode
from ganvas.data.image_folder import ImageFolder
from ganvas.data.loading.loader import TensorLoader
from ganvas.data.webdataset import WebDataset

BATCH, SIZE, PER_SHARD = 64, 64, 500


def make_images(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((256, 256))
        noise = generator.integers(-12, 13, (256, 256, 3))
        pixels = np.clip(np.asarray(coarse).astype(np.int64) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06}.jpg", quality=90)


def make_shards(images: Path, folder: Path) -> list[str]:
    import tarfile

    paths = sorted(path for path in images.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    shards = []
    for start in range(0, len(paths), PER_SHARD):
        shards.append(str(folder / f"train-{start // PER_SHARD:06}.tar"))
        with tarfile.open(shards[-1], "w") as archive:
            for number, path in enumerate(paths[start : start + PER_SHARD], start):
                archive.add(path, f"{number:06}{path.suffix}")
    return shards


def timed(epoch: Callable[[], Iterator[Any]]) -> float:
    """Images per second."""
    count, begin = 0, time.perf_counter()
    for batch in epoch():
        count += len(batch)
    return count / (time.perf_counter() - begin)


def images_of(loader: TensorLoader) -> Callable[[], Iterator[Any]]:
    return lambda: (batch.x for batch in loader)


def library(shards: list[str], workers: int) -> Callable[[], Iterator[Any]] | None:
    try:
        import webdataset as wds
    except ImportError:
        return None

    def image(sample: dict[str, Any]) -> tuple[Any, int]:
        content = next(sample[end] for end in ("jpg", "png", "webp") if end in sample)
        return decode(io.BytesIO(content), Decoding(channels=3, image_size=SIZE)), int(sample["__key__"])

    def collate(samples: list[tuple[Any, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(np.stack([x for x, _ in samples])), torch.tensor([row for _, row in samples])

    data = wds.WebDataset(shards, shardshuffle=len(shards), seed=0, empty_check=False)
    data = data.shuffle(1000).map(image).batched(BATCH, collation_fn=collate, partial=False)
    loader = wds.WebLoader(data, batch_size=None, num_workers=workers, persistent_workers=workers > 0)
    return lambda: (x for x, _ in loader)


def main() -> None:
    parser = argparse.ArgumentParser(description="data=webdataset against its peers.")
    parser.add_argument("--images", type=Path, default=None, help="a folder of .jpg, .png or .webp")
    parser.add_argument("--count", type=int, default=2000, help="images to make without --images")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        images, folder = arguments.images or Path(temporary, "images"), Path(temporary, "shards")
        folder.mkdir()
        if arguments.images is None:
            images.mkdir()
            make_images(images, arguments.count)
        shards = make_shards(images, folder)
        held_out = {"val_fraction": 0.0, "test_fraction": 0.0}
        begin = time.perf_counter()
        WebDataset(root=str(folder), **held_out).prepare()
        index = time.perf_counter() - begin
        begin = time.perf_counter()
        cached = ImageFolder(root=str(images), cache_dir=f"{temporary}/cache", image_size=SIZE, **held_out)
        cached.prepare()
        decoded = time.perf_counter() - begin
        count = cached.num_samples("train")
        size = sum(os.path.getsize(shard) for shard in shards)
        told = f"{count} images, {len(shards)} shards, {size / 1e6:.0f} MB"
        print(f"{told}; load average {os.getloadavg()[0]:.1f}")
        print(
            f"before the first epoch: webdataset's index {index:.2f} s, image_folder's cache {decoded:.2f} s"
        )
        for workers in arguments.workers:
            streamed = WebDataset(root=str(folder), num_workers=workers, **held_out)
            epochs: dict[str, Callable[[], Iterator[Any]]] = {
                "webdataset": images_of(streamed.train_dataloader()),
                "image_folder": images_of(cached.train_dataloader()),
            }
            if peer := library(shards, workers):
                epochs["library"] = peer
            for epoch in epochs.values():
                timed(epoch)  # workers start, files come into the page cache
            found: dict[str, list[float]] = {name: [] for name in epochs}
            for _ in range(arguments.rounds):
                for name, epoch in epochs.items():
                    found[name].append(timed(epoch))
            rates = (f"{name} {statistics.median(rates):,.0f} images/s" for name, rates in found.items())
            print(f"workers {workers}: " + ", ".join(rates))
            for name in epochs.keys() - {"webdataset"}:
                ratios = [mine / other for mine, other in zip(found["webdataset"], found[name])]
                print(
                    f"  webdataset : {name} {statistics.median(ratios):.3f} "
                    f"[{min(ratios):.3f}, {max(ratios):.3f}]",
                    flush=True,
                )
            streamed.teardown("fit")


if __name__ == "__main__":
    main()

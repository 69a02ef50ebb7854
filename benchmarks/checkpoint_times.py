"""Sizes of checkpoints and the times to write and to verify them, for networks of several sizes.

    OMP_NUM_THREADS=1 python benchmarks/checkpoint_times.py
    OMP_NUM_THREADS=1 python benchmarks/checkpoint_times.py --folder /mnt/shared

What is measured: a run of two batches by the command line's own code saves its last state; that content is
then written again by the project's checkpoint IO (temporary file, fsync, sha256 file beside it, rename, fsync
of the folder), and read back as a resumed run reads it (the hash first). `write` and `read` are medians over
the repeats, with their range; a read finds the file in the page cache. `raw` is the same number of bytes
written and synced without the rest: what the disk takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ganvas.cli.compose.experiment import compose
from ganvas.run import train_run
from ganvas.run.checkpoint.io import DurableCheckpointIO

CASES: dict[str, list[str]] = {
    "mlp_gan, 28 px": ["model=mlp_gan", "data=digits", "data.image_size=28"],
    "vqvae, 32 px": ["model=vqvae", "data=digits", "data.image_size=32", "data.resize_mode=resize"],
    "dcgan, 32 px": ["model=dcgan", "data=digits", "data.image_size=32", "data.resize_mode=resize"],
    "dcgan, 64 px": ["model=dcgan", "data=digits", "data.image_size=64", "data.resize_mode=resize"],
    "dcgan, 128 px": ["model=dcgan", "data=digits", "data.image_size=128", "data.resize_mode=resize"],
}


def checkpoint_of(words: list[str], folder: Path) -> Path:
    config = compose([
        *words, "accelerator=cpu", "data.batch_size=2", "trainer.max_examples=null", "trainer.max_steps=2",
        "logger=none", "callback=minimal", "trainer.limit_val_batches=0", f"paths.run_dir={folder}",
    ]).config  # fmt: skip
    outcome = train_run.train({"ganvas": {}, "config": config})
    if outcome.state != "finished":
        raise RuntimeError(f"training ended as {outcome.state}")
    return max(folder.glob("checkpoints/*.ckpt"))


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return times


def raw(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def shown(times: list[float]) -> str:
    low, high = 1e3 * min(times), 1e3 * max(times)
    return f"{1e3 * statistics.median(times):8.1f} ms [{low:.1f}, {high:.1f}]"


def measured(words: list[str], folder: Path, repeats: int) -> str:
    path = checkpoint_of(words, folder / "run")
    held, io = torch.load(path, map_location="cpu", weights_only=True), DurableCheckpointIO()
    again, content = folder / "again.ckpt", path.read_bytes()
    write = timed(lambda: io.save_checkpoint(held, str(again)), repeats)
    read = timed(lambda: io.load_checkpoint(str(again), weights_only=True), repeats)
    disk = timed(lambda: raw(folder / "raw", content), repeats)
    return f"{len(content) / 1e6:8.2f} MB  write {shown(write)}  read {shown(read)}  raw {shown(disk)}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Sizes and times of checkpoints.")
    parser.add_argument("--folder", default=None, help="on the disk to measure")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, load average {os.getloadavg()[0]:.1f}")
    for name, words in CASES.items():
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
            print(f"{name:16} {measured(words, Path(temporary), arguments.repeats)}", flush=True)


if __name__ == "__main__":
    main()

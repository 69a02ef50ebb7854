"""The model of docs/scale.md held against training with 1, 2 and 4 gloo ranks on this machine.

    OMP_NUM_THREADS=1 python benchmarks/scale_check.py
    OMP_NUM_THREADS=1 python benchmarks/scale_check.py --cases dcgan --ranks 2

What is predicted: the time of a training step of n ranks that share a batch,

    T(n) = C(n) + sum over the step's all-reduces of R(bytes, n)

    C(n)    a step of one process on its share of the batch, no collectives, while n - 1 others do the same
            beside it: what they take from each other (cores, caches, memory) is in it; BatchNorm is computed
            as accelerator.sync_batchnorm computes it
    R(b, n) an all-reduce of b bytes of n gloo ranks, between the measured sizes on a line; with the copies
            that ganvas makes around it (functional/distributed.py: mean_over_ranks_)
    bytes   from benchmarks/scale_model.py: counted from the networks, not from the measured run

What is measured: the time from the end of one batch to the end of the next of real training, by the command
line's own composition and train_run.train, without validation, logs and checkpoints. The same processes take
turns at training alone, reducing and training together. A number is the median over the rounds of the median
over a round's steps, each of them the slowest process's; the ratio is predicted : measured, its spread that
of the rounds' own ratios. Every rank computes with one thread; more ranks than cores share them.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

CASES: dict[str, tuple[list[str], int]] = {  # overrides, global batch
    "mlp_gan": (["model=mlp_gan", "data=digits", "data.image_size=28"], 256),
    "dcgan": (["model=dcgan", "data=digits", "data.image_size=32", "data.resize_mode=resize"], 32),
    "vqvae": (["model=vqvae", "data=digits", "data.image_size=32", "data.resize_mode=resize"], 32),
    "classifier": (["model=classifier", "data=digits", "data.image_size=28", "data.resize_mode=resize"], 128),
}
SIZES = (8, 4096, 65536, 2**19, 2**21, 2**22, 2**24)  # bytes of the measured all-reduces
QUIET = [
    "accelerator.threads=1",
    "trainer.max_examples=null",
    "trainer.limit_val_batches=0",
    "logger=none",
    "callback=none",
    "trainer.log_every_examples=1000000000",
    "trainer.num_sanity_val_steps=0",
]


# ---- the parent ----


def start(job: dict[str, Any], ranks: int) -> list[Any]:
    """Runs ``job`` in so many processes; what each has to say."""
    with tempfile.TemporaryDirectory() as folder:
        ports = free_ports(job["rounds"] * (len(job["cases"]) + 1))
        processes = []
        for rank in range(ranks):
            told = json.dumps(job | {"folder": folder, "ports": ports, "ranks": ranks, "rank": rank})
            command = [sys.executable, __file__, "--child", told]
            environment = dict(os.environ, OMP_NUM_THREADS="1")
            processes.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
            )
        try:
            for process in processes:
                _, errors = process.communicate(timeout=600)
                if process.returncode:
                    raise RuntimeError(errors[-2000:])
        finally:
            for process in processes:
                process.kill()
        return [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(ranks)]


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def interpolate(times: dict[int, float], size: int) -> float:
    """Between the measured sizes on a line; beyond the last, on the line of the last two."""
    sizes = sorted(times)
    above = next((number for number, one in enumerate(sizes) if one >= size), len(sizes) - 1)
    low, high = sizes[max(above, 1) - 1], sizes[max(above, 1)]
    slope = (times[high] - times[low]) / (high - low)
    return times[low] + slope * (size - low)


def report(ranks: int, rounds: Sequence[Any]) -> None:
    """``rounds``: of each rank, of each round, what :func:`child` wrote."""
    first = rounds[0]
    if ranks > 1:
        reduces = {
            size: statistics.median(one["reduces"][size] for one in first) for size in first[0]["reduces"]
        }
        times = ", ".join(f"{int(size):,} B {1e3 * took:.3f} ms" for size, took in reduces.items())
        print(f"all-reduce of {ranks} ranks: {times}", flush=True)
    for case in first[0]["cases"]:
        rows = []
        for number, one in enumerate(first):
            steps = zip(*(rank[number]["cases"][case]["alone"] for rank in rounds))
            alone = statistics.median(max(processes) for processes in steps)  # together they wait for it
            times = {int(size): took for size, took in one["reduces"].items()}
            sizes = chain(*one["cases"][case]["model"].values())
            communication = sum(interpolate(times, size) for size in sizes) if ranks > 1 else 0.0
            rows.append((alone, communication, statistics.median(one["cases"][case]["together"])))
        ratios = [(compute + communication) / measured for compute, communication, measured in rows]
        compute, communication, measured = (1e3 * statistics.median(column) for column in zip(*rows))
        print(
            f"{case:10} ranks {ranks}  computes {compute:8.2f} ms  all-reduces {communication:7.2f} ms  "
            f"measured {measured:8.2f} ms  predicted : measured {(compute + communication) / measured:.3f} "
            f"[{min(ratios):.3f}, {max(ratios):.3f}]",
            flush=True,
        )


# ---- the processes ----


def child(job: dict[str, Any]) -> None:
    """Takes part in every round, and writes down what it saw."""
    import torch

    from ganvas.run import trainer

    torch.set_num_threads(1)
    trainer.available_devices = lambda accelerator: 64  # ranks may share cores here
    ports, stages, found = iter(job["ports"]), iter(range(10**6)), []
    for _ in range(job["rounds"]):
        cases: dict[str, Any] = {}
        port = next(ports)
        meet(job, next(stages))
        reduces = reduce_here(job, port) if job["ranks"] > 1 and job["reduces"] else {}
        for case in job["cases"]:
            meet(job, next(stages))
            port, stage = next(ports), next(stages)
            alone = train_here(job, case, None, stage) if job["alone"] else {"seconds": []}
            meet(job, next(stages))
            together = train_here(job, case, port, next(stages))
            cases[case] = together | {"together": together.pop("seconds"), "alone": alone["seconds"]}
        found.append({"cases": cases, "reduces": reduces})
    Path(job["folder"], f"{job['rank']}.json").write_text(json.dumps(found))


def meet(job: dict[str, Any], stage: int) -> None:
    """Waits until all processes are at this stage."""
    Path(job["folder"], f"at-{stage}-{job['rank']}").touch()
    while len(list(Path(job["folder"]).glob(f"at-{stage}-*"))) < job["ranks"]:
        time.sleep(0.002)


@contextmanager
def as_rank(job: dict[str, Any], port: int) -> Iterator[None]:
    """What a launcher of ranks sets."""
    rank, ranks = job["rank"], job["ranks"]
    place = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": ranks,
        "LOCAL_WORLD_SIZE": ranks,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    before = dict(os.environ)
    os.environ |= {name: str(value) for name, value in place.items()}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def reduce_here(job: dict[str, Any], port: int) -> dict[int, float]:
    """Seconds of an all-reduce by its bytes."""
    import torch
    import torch.distributed as dist

    from ganvas.functional.distributed import mean_over_ranks_

    with as_rank(job, port):
        dist.init_process_group("gloo")
    found = {}
    for size in SIZES:
        value = torch.ones(max(1, size // 4))
        for _ in range(3):
            mean_over_ranks_([value])
        times = []
        for _ in range(30 if size < 2**22 else 10):
            dist.barrier()
            begin = time.perf_counter()
            mean_over_ranks_([value])
            times.append(time.perf_counter() - begin)
        found[size] = statistics.median(times)
    dist.barrier()
    dist.destroy_process_group()
    return found


def train_here(job: dict[str, Any], case: str, port: int | None, stage: int) -> dict[str, Any]:
    """Trains as ``ganvas train`` does, alone or as a rank at ``port``; the first steps are not timed."""
    import pytorch_lightning as pl
    import torch.distributed as dist

    from ganvas.cli.compose.experiment import compose
    from ganvas.model import synced_batch_norm
    from ganvas.run import train_run
    from scale_model import all_reduces, total

    counted: list[int] = []
    plain = dist.all_reduce

    def counting(tensor: Any, *arguments: Any, **options: Any) -> Any:
        counted.append(tensor.numel() * tensor.element_size())
        return plain(tensor, *arguments, **options)

    words, batch = CASES[case]
    ranks = job["ranks"] if port is not None else 1
    steps, warm_up = job["steps"] * (4 if case.startswith("mlp") else 1), 3

    class Watch(pl.Callback):
        """Times steps; alone it waits for the processes beside it before the first."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.reduces: list[list[int]] = []
            self.model: dict[str, list[int]] = {}
            self.with_restarts = 0
            self.began = 0.0

        def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            self.model = all_reduces(pl_module, ranks=job["ranks"])
            self.with_restarts = total(all_reduces(pl_module, ranks=job["ranks"], restarts=True))
            if port is None and job["ranks"] > 1:
                synced_batch_norm.sync_batch_norms(pl_module)  # its arithmetic, with nobody to ask

        def on_train_batch_end(self, *_: Any) -> None:
            self.seconds.append(time.perf_counter() - self.began)
            self.reduces.append(list(counted))
            counted.clear()
            if len(self.seconds) == warm_up and port is None:
                meet(job, stage)
            self.began = time.perf_counter()

    watch, make = Watch(), train_run.make_trainer
    machine = ["accelerator=ddp_cpu", f"accelerator.devices={ranks}"] if ranks > 1 else ["accelerator=cpu"]
    folder = f"{job['folder']}/run-{stage}" + ("" if port is not None else f"-{job['rank']}")
    share = batch if port is not None else batch // job["ranks"]
    words = [
        *words,
        *QUIET,
        *machine,
        f"data.batch_size={share}",
        f"paths.run_dir={folder}",
        f"trainer.max_steps={steps + warm_up}",
    ]
    asked = synced_batch_norm.is_distributed
    try:
        synced_batch_norm.is_distributed = lambda: True
        train_run.make_trainer = lambda *a, callbacks, **o: make(*a, callbacks=[*callbacks, watch], **o)
        dist.all_reduce = counting if job["count"] else plain
        with as_rank(job, port) if port is not None and ranks > 1 else nullcontext():
            outcome = train_run.train({"ganvas": {}, "config": compose(words).config})
    finally:
        train_run.make_trainer, dist.all_reduce, synced_batch_norm.is_distributed = make, plain, asked
    if outcome.state != "finished":
        raise RuntimeError(f"training ended as {outcome.state}: {outcome.notes}")
    return {
        "seconds": watch.seconds[warm_up:],
        "reduces": watch.reduces,
        "model": watch.model,
        "with_restarts": watch.with_restarts,
    }


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The scaling model against ranks on this machine.")
    parser.add_argument("--cases", nargs="+", default=["mlp_gan", "dcgan"], choices=CASES)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    if arguments.child is not None:
        child(arguments.child)
        return
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    job = {
        "cases": arguments.cases,
        "rounds": arguments.rounds,
        "steps": arguments.steps,
        "alone": True,
        "reduces": True,
        "count": False,
    }
    for ranks in arguments.ranks:
        report(ranks, start(job, ranks))


if __name__ == "__main__":
    main()

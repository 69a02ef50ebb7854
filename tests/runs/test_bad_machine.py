"""A machine that cannot do what is asked of it; the catalogue of bad input."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from refusal import SMOKE, refused

CPU = ["accelerator=cpu"]
CASES: dict[str, tuple[list[str], str, list[str]]] = {
    "devices_64": ([*CPU, "accelerator.devices=64"], "accelerator.devices", ["this machine has 2; ask for"]),
    "devices_64_of_ddp": (
        ["accelerator=ddp_cpu", "accelerator.devices=64"],
        "accelerator.devices",
        ["this machine has 2; ask for"],
    ),
    "devices_none": ([*CPU, "accelerator.devices=0"], "accelerator.devices", ["at least 1; auto takes all"]),
    "devices_negative": ([*CPU, "accelerator.devices=-1"], "accelerator.devices", ["must be at least 1"]),
    "devices_numbers": ([*CPU, "accelerator.devices=[0,0]"], "accelerator.devices", ["give how many"]),
    "devices_word": ([*CPU, "accelerator.devices=many"], "accelerator.devices", ["a list or auto"]),
    "accelerator": (["accelerator.accelerator=tpu"], "accelerator.accelerator", ["auto, cpu, gpu"]),
    "strategy": (["accelerator.strategy=zero"], "accelerator.strategy", ["there are: auto, ddp, fsdp"]),
    "precision": (["accelerator.precision=foo"], "accelerator.precision", ["32-true, bf16-mixed, 16-mixed"]),
    "precision_number": (["accelerator.precision=32"], "accelerator.precision", ["must be text"]),
    "precision_null": (["accelerator.precision=null"], "accelerator.precision", ["must be text"]),
    "precision_16_of_a_cpu": (
        [*CPU, "accelerator.precision=16-mixed"],
        "accelerator.precision",
        ["needs a GPU; on a CPU there are: 32-true, bf16-mixed"],
    ),
    "precision_64": (["accelerator.precision=64-true"], "accelerator.precision", ["there are: 32-true"]),
    "precision_bf16_true": (["accelerator.precision=bf16-true"], "accelerator.precision", ["bf16-mixed"]),
    "matmul": (["accelerator.matmul_precision=foo"], "accelerator.matmul_precision", ["highest, high"]),
    "fused_search_of_a_cpu": ([*CPU, "accelerator.fused_search=true"], "accelerator.fused_search", ["a GPU"]),
    "threads_none": (["accelerator.threads=0"], "accelerator.threads", ["must be from 1 to 1024"]),
    "threads_many": (["accelerator.threads=100000"], "accelerator.threads", ["must be from 1 to 1024"]),
    "nodes_none": (["accelerator.num_nodes=0"], "accelerator.num_nodes", ["must be at least 1"]),
    "nodes_that_nobody_starts": (
        [*CPU, "accelerator.num_nodes=2"],
        "accelerator.num_nodes",
        ["would wait for machines", "MASTER_ADDR", "or num_nodes=1"],
    ),
    "backend": (
        ["accelerator=ddp_cpu", "accelerator.process_group_backend=foo"],
        "accelerator.process_group_backend",
        ["there are: null, gloo"],
    ),
    "backend_of_gpus": (
        ["accelerator=ddp_cpu", "accelerator.process_group_backend=nccl"],
        "accelerator.process_group_backend",
        ["there are: null, gloo"],
    ),
    "batch_not_shared_evenly": (["accelerator=ddp_cpu", "data.batch_size=9"], "data.batch_size", ["the 2"]),
}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cores, and no launcher's traces in the environment."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("case", CASES)
def test_train_refuses(case: str, ganvas, there: Path) -> None:
    words, key, parts = CASES[case]
    refused(ganvas, there, [*SMOKE, *words], key, *parts)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("option", "key"), [("gpu", "accelerator"), ("ddp", "accelerator.accelerator")])
def test_a_gpu_that_is_not_there(option: str, key: str, ganvas, there: Path) -> None:
    words = [*SMOKE, f"accelerator={option}"]
    refused(ganvas, there, words, key, "=gpu: ", "this machine has no CUDA device; accelerator=cpu")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is such a device")
def test_an_apple_gpu_that_is_not_there(ganvas, there: Path) -> None:
    refused(ganvas, there, [*SMOKE, "accelerator=mps"], "accelerator", "no MPS device; accelerator=cpu")


def test_bfloat16_is_there_on_a_cpu(ganvas, there: Path) -> None:
    ganvas(*SMOKE, *CPU, "accelerator.precision=bf16-mixed", "callback=none")
    assert len(list(there.glob("outputs/*/*/checkpoints/*.ckpt"))) == 1


@pytest.fixture
def port_in_use() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_in_use(port_in_use: int, ganvas, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several machines meet at a port that their user chose."""
    for name, value in (("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", str(port_in_use)), ("NODE_RANK", "0")):
        monkeypatch.setenv(name, value)
    want = [f"={port_in_use}: ", "cannot be listened on (Address already in use)", "to a free port"]
    refused(ganvas, there, [*SMOKE, "accelerator=ddp_cpu", "accelerator.num_nodes=2"], "MASTER_PORT", *want)


def test_one_process_asks_for_no_port(
    port_in_use: int, ganvas, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PORT", str(port_in_use))
    ganvas(*SMOKE, *CPU, "callback=none")
    assert len(list(there.glob("outputs/*/*/checkpoints/*.ckpt"))) == 1

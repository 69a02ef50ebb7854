"""Two machines train one run: by torchrun, and started by hand with NODE_RANK."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rank_faults import WORDS, status
from run_files import newest_checkpoint
from two_nodes import ADDRESSES, run_on, two_nodes, why_not

REASON = why_not()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
BOTH = [*WORDS, "accelerator.devices=1", "accelerator.num_nodes=2", "accelerator.timeout=60"]
PORT = "29555"  # each namespace has its own


@pytest.fixture
def nodes() -> Iterator[tuple[str, str]]:
    with two_nodes() as names:
        yield names


def by_hand(number: int) -> dict[str, str]:
    return {"MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": PORT, "NODE_RANK": str(number)}


def test_torchrun_and_by_hand_train_the_same(nodes: tuple[str, str], tmp_path: Path) -> None:
    """By hand each machine has a disk of its own: the second one's stays empty."""
    shared, first, second = (tmp_path / name for name in ("shared", "first", "second"))
    for folder in (shared, first, second):
        folder.mkdir()
    started = [
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nnodes=2",
            "--nproc_per_node=1",
            f"--node_rank={rank}",
            f"--master_addr={ADDRESSES[0]}",
            f"--master_port={PORT}",
            "-m",
            "ganvas",
            *BOTH,
        ]
        for rank in range(2)
    ]
    done = run_on(nodes, (shared, shared), (started[0], started[1]), ({}, {}))
    assert [one.returncode for one in done] == [0, 0], done
    command = [sys.executable, "-m", "ganvas", *BOTH]
    done += run_on(nodes, (first, second), (command, command), (by_hand(0), by_hand(1)))
    assert [one.returncode for one in done] == [0, 0, 0, 0], done
    assert [one.stdout.count("finished: ") for one in done] == [1, 0, 1, 0]
    assert list(second.iterdir()) == []
    assert status(shared)["metrics"] == status(first)["metrics"]
    one, other = newest_checkpoint(shared / "run"), newest_checkpoint(first / "run")
    assert one["ganvas_clock"] == other["ganvas_clock"]
    for key, value in one["state_dict"].items():
        assert torch.equal(other["state_dict"][key], value), key


def test_nodes_that_were_given_different_commands(nodes: tuple[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganvas", *BOTH]
    other = [*command, "model.latent_dim=33"]
    done = run_on(nodes, (tmp_path, tmp_path), (command, other), (by_hand(0), by_hand(1)))
    assert [one.returncode for one in done] == [2, 2], done
    for one in done:
        assert "latent_dim=33: is 100 on the first rank; give the same command" in one.stderr
        assert len(one.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []

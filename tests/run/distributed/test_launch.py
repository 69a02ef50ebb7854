from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.run.distributed.launch import Node, local_ranks


@pytest.mark.parametrize(
    ("kind", "devices", "gpus", "count"),
    [
        ("cpu", 1, 0, 1),
        ("cpu", 2, 4, 2),
        ("cpu", "2", 0, 2),
        ("cpu", 5, 8, 0),
        ("cpu", "auto", 8, 1),
        ("auto", 2, 0, 2),
        ("auto", 3, 8, 3),
        ("gpu", "auto", 8, 8),
        ("gpu", [1, 3], 8, 2),
        ("gpu", 9, 8, 0),
        ("gpu", 2, 0, 0),
        ("cpu", 0, 0, 0),
        ("cpu", -1, 0, 0),
        ("cpu", True, 0, 0),
        ("cpu", None, 0, 0),
        ("cpu", "many", 0, 0),
        ("mps", 2, 0, 0),
        ("tpu", 2, 0, 0),
    ],
)
def test_how_many_ranks(
    kind: str, devices: Any, gpus: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0: the options are refused by their own names, by a process that starts none."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert local_ranks({"accelerator": kind, "devices": devices}) == count


THERE = {"MASTER_ADDR": "host1", "MASTER_PORT": "29500", "NODE_RANK": "1"}


def test_a_machine_among_several() -> None:
    node = Node(2, THERE)
    assert (node.number, node.address, node.port) == (1, "host1", 29500)
    assert node.listen() is None
    alone = Node(1, THERE)  # nobody else is to come: the port is any
    assert (alone.number, alone.address) == (0, "127.0.0.1")
    with alone.listen() as listener:  # type: ignore[union-attr]
        assert listener.getsockname()[1] == alone.port > 0


@pytest.mark.parametrize("name", THERE)
def test_several_machines_need_to_know_each_other(name: str) -> None:
    given = {key: value for key, value in THERE.items() if key != name}
    with pytest.raises(OptionError, match=rf"^accelerator.num_nodes=2: .*{name} not set; .* or num_nodes=1"):
        Node(2, given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODE_RANK", "2"),
        ("NODE_RANK", "x"),
        ("MASTER_PORT", "0"),
        ("MASTER_PORT", "65536"),
        ("MASTER_PORT", "-1"),
        ("MASTER_PORT", "x"),
    ],
)
def test_what_is_no_machine_and_no_port(name: str, value: str) -> None:
    with pytest.raises(OptionError, match=f"^{name}={value}: "):
        Node(2, THERE | {name: value})


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_port_that_is_taken(host: str) -> None:
    with socket.socket() as taken:
        taken.bind((host, 0))
        taken.listen()
        node = Node(2, THERE | {"NODE_RANK": "0", "MASTER_PORT": str(taken.getsockname()[1])})
        with pytest.raises(OptionError, match="cannot be listened on"):
            node.listen()
    listener = node.listen()
    assert listener is not None
    listener.close()


def test_torch_is_not_imported_to_start_ranks_on_a_cpu() -> None:
    source = """if True:
        import sys
        from ganvas.run import start
        from ganvas.run.distributed.launch import local_ranks

        local_ranks({"accelerator": "cpu", "devices": 1})
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", source], check=True)

"""Weights as a safetensors file: the same bytes each time, and what is no such file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ganvas.run.checkpoint.weights_file import read_weights, weights_file


class Counted(nn.Linear):
    def clock(self) -> dict[str, int]:
        return {"examples_seen": 640, "batches_seen": 10}


def test_the_same_weights_are_the_same_bytes() -> None:
    model = Counted(3, 2)
    assert len({weights_file(model, "1.2") for _ in range(12)}) == 1
    assert weights_file(model, "1.3") != weights_file(model, "1.2")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    model = Counted(3, 2)
    path = tmp_path / "model.safetensors"
    path.write_bytes(weights_file(model, "1.2"))
    found = read_weights(path)
    path.write_bytes(b"")  # what was read is not the file's any more
    assert found["ganvas_clock"] == {"examples_seen": 640, "batches_seen": 10}
    assert set(found["state_dict"]) == {"weight", "bias"}
    assert torch.equal(found["state_dict"]["weight"], model.weight)
    assert torch.equal(found["state_dict"]["bias"], model.bias)


@pytest.mark.parametrize(
    "damage", [b"", b"\xff" * 8, b"{}", b"\x02\0\0\0\0\0\0\0{}", b"\x04\0\0\0\0\0\0\0[[[["]
)
def test_what_is_no_such_file_is_refused(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(damage)
    with pytest.raises(ValueError, match=r"no safetensors file|no counters"):
        read_weights(tmp_path / "x")

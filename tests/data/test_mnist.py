from __future__ import annotations

import gzip
import hashlib
import struct

import pytest
import torch

from ganvas.data.mnist import MNIST
from ganvas.errors import OptionError


def idx(x: torch.Tensor) -> bytes:
    return struct.pack(f">HBB{x.dim()}I", 0, 8, x.dim(), *x.shape) + bytes(x.flatten().tolist())


def test_reads_files_of_mnists_names(tmp_path, monkeypatch):
    counts = {"train": 40, "t10k": 20}
    for part, count in counts.items():
        images = torch.arange(count, dtype=torch.uint8)[:, None, None].expand(count, 28, 28)
        labels = (torch.arange(count) % 10).to(torch.uint8)
        for kind, content in (("images-idx3", idx(images)), ("labels-idx1", idx(labels))):
            name = f"{part}-{kind}-ubyte"
            assert name in MNIST.contents
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
            monkeypatch.setitem(MNIST.contents, name, hashlib.sha256(content).hexdigest())
    module = MNIST(root=str(tmp_path), batch_size=4, num_val=8, image_size=32)
    assert [module.num_samples(name) for name in ("train", "val", "test")] == [32, 8, 20]
    assert module.sample_shape == (1, 32, 32)
    test = module.split("test")
    assert test.x[:, 0, 16, 16].tolist() == list(range(20))
    assert test.label.tolist() == list(range(10)) * 2


def test_other_files_of_these_names_are_refused(tmp_path):
    for name in MNIST.contents:
        (tmp_path / name).write_bytes(b"\0\0\x08\x01\0\0\0\0")
    with pytest.raises(OptionError, match=r"is not MNIST's file"):
        MNIST(root=str(tmp_path)).prepare()

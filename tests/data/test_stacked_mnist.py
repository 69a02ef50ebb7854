from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.data.mnist import MNIST
from ganvas.data.stacked_mnist import StackedMNIST
from ganvas.errors import OptionError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST's files with 5,100 and 30 images, each filled with its class times ten."""
    contents = {}
    for name, count in (("train", 5100), ("t10k", 30)):
        label = (np.arange(count) % 10).astype(np.uint8)
        images = np.broadcast_to((label * 10)[:, None, None], (count, 28, 28))
        files = {
            f"{name}-images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, count, 28, 28) + images.tobytes(),
            f"{name}-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, count) + label.tobytes(),
        }
        for file, content in files.items():
            (tmp_path / file).write_bytes(content)
            contents[file] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(MNIST, "contents", contents)
    return tmp_path


def test_channels_are_mnists_images(folder: Path) -> None:
    module = StackedMNIST(root=str(folder), num_train=100, num_val=20, num_test=40, image_size=32)
    for split, count in (("train", 100), ("val", 20), ("test", 40)):
        stored = module.split(split)
        assert stored.x.shape == (count, 3, 32, 32)  # padded with black
        levels = stored.x[:, :, 16, 16].long() // 10
        assert torch.equal(stored.label, levels @ torch.tensor([100, 10, 1]))
        assert stored.x[:, :, 0].max() == 0
    facts = module.facts()
    assert facts.num_classes == 1000
    assert facts.parts == MNIST(root=str(folder), image_size=32).facts()
    assert facts.parts.overrides == f"data=mnist data.root={folder} data.image_size=32"


def test_missing_files_are_named() -> None:
    with pytest.raises(OptionError, match="root=null"):
        StackedMNIST().prepare()

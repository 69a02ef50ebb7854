"""The files as TensorBoard's own reader takes them, and every picture at its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from ganvas.callback.drawing.projector import sprite, write_projector


def config(folder: Path) -> ProjectorConfig:
    return text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())


@pytest.mark.parametrize("channels", [1, 3])
def test_tensorboard_reads_them(channels: int, tmp_path: Path) -> None:
    vectors = torch.tensor([[0.5, -1.25], [1e-8, 3.0], [2.0, 4.0]])
    images = torch.arange(3 * channels * 2 * 4, dtype=torch.uint8).view(3, channels, 2, 4)
    for uses in ([0, 0, 0], [5, 0, 7]):  # the second takes the place of the first
        write_projector(tmp_path, "codebook", vectors, {"code": [0, 4, 8], "uses": uses}, images)
    (one,) = config(tmp_path).embeddings
    assert one.tensor_name == "codebook"
    assert list(one.sprite.single_image_dim) == [4, 2]
    found = np.loadtxt(tmp_path / one.tensor_path, delimiter="\t", dtype=np.float32)
    assert np.array_equal(found, vectors.numpy())
    labels = (tmp_path / one.metadata_path).read_text()
    assert labels == "code\tuses\n0\t5\n4\t0\n8\t7\n"
    with Image.open(tmp_path / one.sprite.image_path) as image:
        board = np.array(image).reshape(4, 8, channels)
    for number in range(3):  # two columns
        top, left = 2 * (number // 2), 4 * (number % 2)
        assert np.array_equal(board[top : top + 2, left : left + 4], images[number].permute(1, 2, 0).numpy())
    assert (board[2:, 4:] == 0).all()
    assert {path.name for path in tmp_path.rglob("*")} == {
        *("codebook", "projector_config.pbtxt", "projector.pbtxt", "vectors.tsv", "labels.tsv", "sprite.png")
    }


def test_without_images_there_are_dots(tmp_path: Path) -> None:
    write_projector(tmp_path, "codebook", torch.zeros(2, 3), {"code": [0, 1], "uses": [1, 2]}, None)
    (one,) = config(tmp_path).embeddings
    assert not one.HasField("sprite")
    assert sprite(torch.ones(5, 1, 2, 2, dtype=torch.uint8)).shape == (1, 4, 6)

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from ganvas.files.read import NotRegularError
from ganvas.modality.drawing.png import PngRows


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pieces", [[7], [1, 4, 2]])
def test_rows_are_read_back(channels: int, pieces: list[int], tmp_path: Path) -> None:
    image = torch.randint(256, (channels, sum(pieces), 5), generator=torch.Generator().manual_seed(3))
    image = image.to(torch.uint8)
    with PngRows(tmp_path / "x.png", width=5, height=sum(pieces), channels=channels) as file:
        for piece in image.split(pieces, dim=1):
            file.append(piece)
        assert not (tmp_path / "x.png").exists(), "not yet whole"
    with Image.open(tmp_path / "x.png") as read:
        assert read.mode == {1: "L", 3: "RGB"}[channels]
        assert numpy.array_equal(numpy.asarray(read).reshape(7, 5, channels), image.permute(1, 2, 0).numpy())
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_nothing_is_left_of_a_file_that_was_not_ended(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("old")
    with contextlib.suppress(KeyError), PngRows(tmp_path / "x.png", width=5, height=7, channels=1) as file:
        file.append(torch.zeros(1, 3, 5, dtype=torch.uint8))
        raise KeyError
    assert (tmp_path / "x.png").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_nothing_is_left_of_a_file_that_cannot_be_ended(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    rows = torch.zeros(1, 3, 5, dtype=torch.uint8)
    with pytest.raises(NotRegularError), PngRows(tmp_path / "x.png", width=5, height=3, channels=1) as file:
        file.append(rows)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]

"""Grids, scatter plots and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.callback.pictures import draw, draw_pairs, save_png
from ganvas.errors import OptionError
from ganvas.functional.images import grid


def test_a_grid_places_row_by_row() -> None:
    x = torch.arange(5 * 2 * 40 * 33).remainder(251).to(torch.uint8).view(5, 2, 40, 33)
    board = grid(x, 3)
    assert board.shape == (2, 2 * 42 + 2, 3 * 35 + 2)
    assert board.dtype == torch.uint8
    for i in range(5):
        top, left = 2 + (i // 3) * 42, 2 + (i % 3) * 35
        assert torch.equal(board[:, top : top + 40, left : left + 33], x[i])
    assert board[:, 44:84, 72:105].unique().tolist() == [96]  # the sixth place is empty
    assert board[:, :2].unique().tolist() == board[:, :, 35:37].unique().tolist() == [96]


@pytest.mark.parametrize(("side", "factor"), [(8, 8), (28, 2), (32, 2), (33, 1), (64, 1), (100, 1)])
def test_small_pictures_are_enlarged_by_a_whole_factor(side: int, factor: int) -> None:
    x = torch.randint(0, 256, (1, 1, side, side), generator=torch.Generator().manual_seed(0)).byte()
    board = grid(x, 9)
    assert board.shape == (1, side * factor + 4, side * factor + 4)
    assert torch.equal(board[:, 2:-2:factor, 2:-2:factor], x[0])
    assert torch.equal(board[:, 1 + factor : -2 : factor, 1 + factor : -2 : factor], x[0])


def test_a_drawing_and_its_file(tmp_path: Path) -> None:
    x = torch.stack([torch.full((3, 40, 40), level) for level in (-1.0, 0.5, 2.0)])
    x[1, 0] = -1
    picture = draw(x, columns=3)
    save_png(tmp_path / "samples" / "a.png", picture)
    read = np.array(Image.open(tmp_path / "samples" / "a.png"))
    assert read.shape == (44, 128, 3)
    assert [read[20, 20 + 42 * i].tolist() for i in range(3)] == [[0, 0, 0], [0, 191, 191], [255, 255, 255]]
    assert [file.name for file in (tmp_path / "samples").iterdir()] == ["a.png"]


def test_grey_pictures_are_grey_files(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", draw(torch.zeros(1, 1, 8, 8)))
    assert Image.open(tmp_path / "a.png").mode == "L"


def test_originals_stand_left_of_their_reconstructions() -> None:
    original = torch.tensor([-1.0, -0.5, 0.0, 0.5]).view(4, 1, 1, 1).expand(4, 1, 40, 40)
    board = draw_pairs(original, -original)
    centres = [[int(board[0, 20 + 42 * row, 20 + 42 * column]) for column in range(4)] for row in range(2)]
    assert centres == [[0, 255, 64, 191], [128, 128, 191, 64]]


def test_points_lie_where_they_belong() -> None:
    x, y = 0.5, 0.75
    picture = draw(torch.tensor([[x, y], [float("nan"), 0.0]]), background=torch.tensor([[-1.0, -1.0]]))
    assert picture.shape == (3, 512, 512)

    def colour(x: float, y: float) -> list[int]:
        column, row = round((x / 1.25 + 1) * 255.5), round((-y / 1.25 + 1) * 255.5)
        return picture[:, row, column].tolist()

    assert colour(x, y) == [30, 90, 200]
    assert colour(-1, -1) == [190, 190, 190]
    assert colour(y, x) == colour(x, -y) == colour(0, 0) == [255, 255, 255]


def test_other_samples_cannot_be_drawn() -> None:
    with pytest.raises(OptionError, match="only pictures"):
        draw(torch.zeros(4, 3))

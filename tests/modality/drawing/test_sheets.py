"""Grids, scatter plots and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import (
    draw,
    draw_codes,
    draw_neighbours,
    draw_pairs,
    draw_rows,
    draw_walk,
)
from PIL import Image

from ganvas.errors import OptionError
from ganvas.functional.colours import code_colours
from ganvas.functional.images import grid
from ganvas.modality.drawing.files import save_image
from ganvas.modality.drawing.sheets import smaller


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
def test_small_images_are_enlarged_by_a_whole_factor(side: int, factor: int) -> None:
    x = torch.randint(0, 256, (1, 1, side, side), generator=torch.Generator().manual_seed(0)).byte()
    board = grid(x, 9)
    assert board.shape == (1, side * factor + 4, side * factor + 4)
    assert torch.equal(board[:, 2:-2:factor, 2:-2:factor], x[0])
    assert torch.equal(board[:, 1 + factor : -2 : factor, 1 + factor : -2 : factor], x[0])


def test_a_drawing_and_its_file(tmp_path: Path) -> None:
    x = torch.stack([torch.full((3, 40, 40), level) for level in (-1.0, 0.5, 2.0)])
    x[1, 0] = -1
    image = draw(x, columns=3)
    save_image(tmp_path / "samples" / "a.png", image)
    read = np.array(Image.open(tmp_path / "samples" / "a.png"))
    assert read.shape == (44, 128, 3)
    assert [read[20, 20 + 42 * i].tolist() for i in range(3)] == [[0, 0, 0], [0, 191, 191], [255, 255, 255]]
    assert [file.name for file in (tmp_path / "samples").iterdir()] == ["a.png"]


def test_grey_images_are_grey_files(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", draw(torch.zeros(1, 1, 8, 8)))
    assert Image.open(tmp_path / "a.png").mode == "L"


def test_originals_stand_left_of_their_reconstructions() -> None:
    original = torch.tensor([-1.0, -0.5, 0.0, 0.5]).view(4, 1, 1, 1).expand(4, 1, 40, 40)
    board = draw_pairs(original, -original)
    centres = [[int(board[0, 20 + 42 * row, 20 + 42 * column]) for column in range(4)] for row in range(2)]
    assert centres == [[0, 255, 64, 191], [128, 128, 191, 64]]


def test_points_lie_where_they_belong() -> None:
    x, y = 0.5, 0.75
    image = draw(torch.tensor([[x, y], [float("nan"), 0.0]]), background=torch.tensor([[-1.0, -1.0]]))
    assert image.shape == (3, 512, 512)

    def colour(x: float, y: float) -> list[int]:
        column, row = round((x / 1.25 + 1) * 255.5), round((-y / 1.25 + 1) * 255.5)
        return image[:, row, column].tolist()

    assert colour(x, y) == [30, 90, 200]
    assert colour(-1, -1) == [190, 190, 190]
    assert colour(y, x) == colour(x, -y) == colour(0, 0) == [255, 255, 255]


def test_other_samples_cannot_be_drawn() -> None:
    with pytest.raises(OptionError, match="only images"):
        draw(torch.zeros(4, 3))


def tile(board: torch.Tensor, row: int, column: int, side: int = 64) -> torch.Tensor:
    top, left = 2 + row * (side + 2), 2 + column * (side + 2)
    return board[:, top : top + side, left : left + side]


@pytest.mark.parametrize("channels", [1, 3])
def test_codes_of_positions_are_a_map(channels: int) -> None:
    x = torch.rand(2, channels, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    indices = torch.tensor([[[0, 1, 2, 3], [4, 5, 6, 7]], [[9, 9, 9, 9], [8, 8, 8, 30]]])
    board = draw_codes(x, -x, [indices], [31])
    assert board.shape == (3, 2 * 66 + 2, 3 * 66 + 2)
    assert board.dtype == torch.uint8
    for i in range(2):
        for column, image in enumerate((x[i], -x[i])):
            small = tile(board, i, column)[:, ::8, ::8]
            assert torch.equal(small, ((image + 1) * 127.5).round().to(torch.uint8).expand(3, -1, -1))
        colours = code_colours(indices[i], 31).permute(2, 0, 1)  # [3, 2, 4]
        expected = colours.repeat_interleave(32, 1).repeat_interleave(16, 2)
        assert torch.equal(tile(board, i, 2), expected)


def test_codes_of_a_vector_are_stripes() -> None:
    x = torch.zeros(1, 1, 4, 4)
    many = torch.arange(100)[None]  # more than the 64 pixels that 4 are enlarged to
    board = draw_codes(x, x, [many], [100])
    assert board.shape == (3, 104, 3 * 102 + 2)
    assert torch.equal(tile(board, 0, 2, 100), code_colours(many, 100).permute(2, 0, 1).expand(-1, 100, -1))
    one = draw_codes(x, x, [torch.tensor([5])], [100])  # a code a sample
    assert torch.equal(tile(one, 0, 2), code_colours(torch.tensor(5), 100).view(3, 1, 1).expand(-1, 64, 64))


def test_codes_of_points_are_their_colours() -> None:
    x = torch.tensor([[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
    image = draw_codes(x, -x, [torch.tensor([[1, 0], [2, 3], [1, 0]])], [5])

    def colour(x: float, y: float) -> list[int]:
        return image[:, round((-y / 1.25 + 1) * 255.5), round((x / 1.25 + 1) * 255.5)].tolist()

    first, second = ((code_colours(torch.tensor(i), 25) * 0.8).int().tolist() for i in (5, 13))
    assert first != second
    assert [colour(*point) for point in x.tolist()] == [first, second, first]


def test_levels_are_maps_side_by_side() -> None:
    x = torch.zeros(2, 1, 8, 8)
    coarse, fine = torch.arange(8).view(2, 2, 2), torch.arange(32).view(2, 4, 4)
    board = draw_codes(x, x, [coarse, fine], [9, 2**40])
    assert board.shape == (3, 2 * 66 + 2, 4 * 66 + 2)
    for i in range(2):
        for column, one, size in ((2, coarse, 9), (3, fine, 2**40)):
            colours = code_colours(one[i], size).permute(2, 0, 1)
            side = 64 // colours.shape[1]
            expected = colours.repeat_interleave(side, 1).repeat_interleave(side, 2)
            assert torch.equal(tile(board, i, column), expected)
    points = torch.tensor([[0.5, 0.5], [-0.5, 0.5]])
    both = draw_codes(points, points, [torch.tensor([1, 2]), torch.tensor([0, 3])], [5, 5])
    assert torch.equal(both, draw_codes(points, points, [torch.tensor([[1, 0], [2, 3]])], [5]))
    many = draw_codes(x, x, [coarse] * 12, [9] * 12)
    assert many.shape == (3, 2 * 66 + 2, 10 * 66 + 2)


def test_rows_are_rows_and_paths() -> None:
    x = torch.rand(2, 5, 1, 40, 40, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert torch.equal(draw_rows(x), draw(x.flatten(0, 1), columns=5))
    points = torch.tensor([[[-1.0, 0.5], [1.0, 0.5]], [[0.5, -1.0], [0.5, 0.0]]])
    image = draw_rows(points)

    def colour(x: float, y: float) -> list[int]:
        return image[:, round((-y / 1.25 + 1) * 255.5), round((x / 1.25 + 1) * 255.5)].tolist()

    first, second = colour(-1, 0.5), colour(0.5, 0)
    assert first == colour(1, 0.5) == colour(0, 0.5)
    assert second == colour(0.5, -1) == colour(0.5, -0.5) != first
    assert colour(0, 0) == [255, 255, 255]
    with pytest.raises(OptionError, match="only images"):
        draw_rows(torch.zeros(2, 3, 7))


def test_a_walk_is_grids_and_rounds() -> None:
    x = torch.rand(3, 6, 1, 40, 40, generator=torch.Generator().manual_seed(2)) * 2 - 1
    assert all(map(torch.equal, draw_walk(x, columns=2), (draw(frame, columns=2) for frame in x)))
    triangle = torch.tensor([[[-1.0, -1.0]], [[1.0, -1.0]], [[0.0, 1.0]]])
    images = draw_walk(triangle)
    for frame, image in zip(triangle, images, strict=True):
        for corner, other in zip(triangle, triangle.roll(-1, 0), strict=True):
            x, y = ((corner + other) / 2)[0].tolist()  # half-way along each side, the last one home too
            column, row = round((x / 1.25 + 1) * 255.5), round((-y / 1.25 + 1) * 255.5)
            assert image[:, row, column].tolist() == [190, 190, 190]
            x, y = corner[0].tolist()
            column, row = round((x / 1.25 + 1) * 255.5), round((-y / 1.25 + 1) * 255.5)
            is_dot = image[:, row, column].tolist() == [204, 20, 20]
            assert is_dot == torch.equal(corner, frame)


def test_neighbours_stand_right_of_their_sample() -> None:
    levels = torch.tensor([-1.0, 0.0, 1.0, 0.5, -0.5, 0.25]).view(2, 3, 1, 1, 1).expand(2, 3, 1, 40, 40)
    board = draw_neighbours(levels[:, 0], levels[:, 1:])
    assert board.shape == (1, 86, 44 + 4 + 86)
    assert [int(board[0, 20, 20 + shift]) for shift in (0, 48, 90)] == [0, 128, 255]
    assert [int(board[0, 62, 20 + shift]) for shift in (0, 48, 90)] == [191, 64, 159]
    assert (board[0, :, 44:48] == 255).all()


def test_large_pictures_become_small_by_means() -> None:
    x = torch.arange(32).view(1, 1, 4, 8).to(torch.uint8)
    assert torch.equal(smaller(x, 8), x)
    assert smaller(x * 2, 4).tolist() == [[[[9, 13, 17, 21], [41, 45, 49, 53]]]]
    assert smaller(torch.zeros(1, 1, 1, 300, dtype=torch.uint8), 4).shape == (1, 1, 1, 4)

from __future__ import annotations

import pytest
import torch

from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.code_places import ENDS, beginning, half, share_known

# Two levels on a grid of 3 x 4, then one on a grid of 2 x 2.
LAYOUT = CodeLayout(sizes=((4, 8), (16,)), positions=((3, 4), (2, 2)))


@pytest.mark.parametrize(
    ("which", "first", "second"),
    [
        ("upper", lambda row, column: row < 1, lambda row, column: row == 0),  # the middle row is in neither
        ("lower", lambda row, column: row > 1, lambda row, column: row == 1),
        ("left", lambda row, column: column < 2, lambda row, column: column == 0),
        ("right", lambda row, column: column >= 2, lambda row, column: column == 1),
    ],
)
def test_a_half_is_told_by_the_centres_of_positions_in_every_map_and_level(which, first, second) -> None:
    expected = [first(row, column) for row in range(3) for column in range(4) for _ in range(2)]
    expected += [second(row, column) for row in range(2) for column in range(2)]
    assert half(LAYOUT, which).tolist() == expected


def test_codes_of_a_row_are_in_no_half_of_an_image_and_those_of_a_grid_in_none_of_a_sound() -> None:
    with pytest.raises(ValueError, match="the upper half holds codes of a grid alone"):
        half(CodeLayout(sizes=((4,),), positions=((6,),)), "upper")
    for which in ENDS:
        with pytest.raises(ValueError, match=f"the {which} half holds codes of a row alone"):
            half(LAYOUT, which)
    with pytest.raises(ValueError, match="a beginning holds codes of a row alone"):
        beginning(LAYOUT, 1, 2)


# Two levels at 5 places, then one at 2.
ROWS = CodeLayout(sizes=((4, 8), (16,)), positions=((5,), (2,)))


def test_halves_of_what_runs_on_lie_one_behind_the_other() -> None:
    assert half(ROWS, "first").tolist() == [True] * 4 + [False] * 6 + [True, False]
    assert half(ROWS, "second").tolist() == [False] * 6 + [True] * 4 + [False, True]  # the middle is in none


@pytest.mark.parametrize(
    ("length", "of_five", "of_two"),
    [(0, 0, 0), (199, 0, 0), (200, 1, 0), (500, 2, 1), (999, 4, 1), (1000, 5, 2)],
)
def test_a_beginning_gives_the_codes_that_it_fills(length: int, of_five: int, of_two: int) -> None:
    found = beginning(ROWS, length, 1000)
    own = [True] * 2 * of_five + [False] * 2 * (5 - of_five) + [True] * of_two + [False] * (2 - of_two)
    assert found.tolist() == own


def test_a_pixel_shows_the_share_of_the_codes_over_it() -> None:
    known = torch.zeros(2, 28, dtype=torch.bool)
    known[0, 0] = True  # the first level of the place at row 0, column 0
    known[0, 2:4] = True  # both levels of column 1
    known[0, 24 + 1] = True  # the coarse one above on the right
    known[1] = True
    share = share_known(LAYOUT, known, 6, 8)
    assert share.shape == (2, 1, 6, 8)
    assert torch.equal(share[1], torch.ones(1, 6, 8))
    expected = torch.zeros(6, 8)
    expected[:2, :2], expected[:2, 2:4] = 1 / 3, 2 / 3  # of three levels
    expected[:3, 4:] += 1 / 3
    assert torch.allclose(share[0, 0], expected)


def test_codes_without_a_place_count_everywhere() -> None:
    layout = CodeLayout(sizes=((4,),), positions=((4,),))
    known = torch.tensor([[True, False, False, False]])
    assert torch.equal(share_known(layout, known, 2, 3), torch.full((1, 1, 2, 3), 0.25))


def test_codes_of_rows_lie_along_a_length() -> None:
    layout = CodeLayout(sizes=((4, 8), (16,)), positions=((2,), (3,)))
    known = torch.zeros(2, 7, dtype=torch.bool)
    known[0, [1, 4]] = True  # the second level of the first place, the first third
    known[1, 2:4] = True  # both levels of the second place
    share = share_known(layout, known, 6)
    expected = torch.tensor([[2, 2, 1, 0, 0, 0], [0, 0, 0, 2, 2, 2]]) / 3
    assert torch.allclose(share, expected[:, None])

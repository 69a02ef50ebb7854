from __future__ import annotations

import pytest

from ganvas.functional.sides import growing_sides


@pytest.mark.parametrize(
    ("last", "sides"),
    [
        (16, [1, 2, 3, 4, 5, 6, 8, 10, 13, 16]),  # the paper's
        (7, [1, 2, 3, 4, 5, 6, 7]),
        (11, [1, 2, 3, 4, 5, 6, 8, 10, 11]),
        (2, [1, 2]),
        (1, [1]),
        (0, []),
    ],
)
def test_sides(last: int, sides: list[int]) -> None:
    assert growing_sides(last) == sides

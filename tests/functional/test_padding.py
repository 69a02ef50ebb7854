from __future__ import annotations

import pytest
import torch

from ganvas.functional.padding import cut_to, pad_to_multiple, padded_side


@pytest.mark.parametrize(("size", "multiple", "side"), [(28, 4, 28), (29, 4, 32), (30, 8, 32), (1, 8, 8)])
def test_the_next_multiple(size: int, multiple: int, side: int) -> None:
    assert padded_side(size, multiple) == side


def test_edges_are_repeated_half_on_either_side() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[None, None]  # 2 x 3
    assert pad_to_multiple(x, 8)[0, 0].tolist() == [
        *([[1.0, 1, 1, 2, 3, 3, 3, 3]] * 4),  # 3 before 2 rows, 3 behind; 2 before 3 columns, 3 behind
        *([[4.0, 4, 4, 5, 6, 6, 6, 6]] * 4),
    ]
    assert pad_to_multiple(x, 4)[0, 0].tolist() == [
        *([[1.0, 2, 3, 3]] * 2),
        *([[4.0, 5, 6, 6]] * 2),
    ]


@pytest.mark.parametrize("multiple", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 8), (28, 30), (7, 3)])
def test_what_is_padded_is_cut_back(height: int, width: int, multiple: int) -> None:
    x = torch.arange(2.0 * 3 * height * width).view(2, 3, height, width)
    padded = pad_to_multiple(x, multiple)
    assert padded.shape[2] % multiple == padded.shape[3] % multiple == 0
    assert padded.shape[2] - height < multiple > padded.shape[3] - width
    assert torch.equal(cut_to(padded, height, width), x)


def test_what_needs_no_padding_is_handed_on() -> None:
    x = torch.zeros(1, 1, 8, 4)
    assert pad_to_multiple(x, 4) is x

from __future__ import annotations

import torch

from ganvas.functional.images import to_float, to_uint8


def test_all_levels_map_evenly_onto_minus_one_to_one():
    levels = torch.arange(256, dtype=torch.uint8)
    x = to_float(levels)
    assert x.dtype == torch.float32
    assert (x[0], x[255]) == (-1, 1)
    torch.testing.assert_close(x.double(), torch.linspace(-1, 1, 256, dtype=torch.float64), atol=1e-7, rtol=0)
    assert torch.equal(to_uint8(x), levels)


def test_to_uint8_rounds_to_the_nearest_and_clamps():
    x = torch.tensor([-1.5, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.999999, 1.0, 2.0])
    assert to_uint8(x).tolist() == [0, 0, 1, 255, 255, 255]


def test_the_input_is_left_alone():
    x = torch.tensor([0.3])
    to_uint8(x)
    to_float(x)
    assert x.item() == torch.tensor(0.3).item()

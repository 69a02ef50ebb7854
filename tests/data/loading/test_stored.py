from __future__ import annotations

import torch

from ganvas.data.loading.stored import Stored, hold_out


def test_hold_out_parts_every_row_once():
    rest, val, test = hold_out(100, [7, 11], "a")
    assert [len(rest), len(val), len(test)] == [82, 7, 11]
    assert sorted(torch.cat([rest, val, test]).tolist()) == list(range(100))
    assert all(torch.equal(part, part.sort().values) for part in (rest, val, test))
    assert val.tolist() not in (list(range(82, 89)), list(range(7)))


def test_hold_out_is_fixed_but_differs_by_purpose():
    torch.manual_seed(1)
    first = hold_out(100, [30], "a")[1]
    torch.manual_seed(2)
    assert torch.equal(first, hold_out(100, [30], "a")[1])
    assert not torch.equal(first, hold_out(100, [30], "b")[1])


def test_rows():
    stored = Stored(torch.arange(10)[:, None], torch.arange(10) * 3)
    taken = stored.rows(torch.tensor([4, 2]))
    assert (taken.x.tolist(), taken.label.tolist(), len(taken)) == ([[4], [2]], [12, 6], 2)
    assert Stored(torch.zeros(3, 2), None).rows(torch.tensor([1])).label is None

from __future__ import annotations

import pytest
import torch

from ganvas.data.loading.stored import Stored, hold_out, hold_out_of_classes


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


# ---- of each class its share ----


@pytest.mark.parametrize("counts", [[50, 30, 20], [97, 2, 1], [1] * 10, [3, 3, 3, 1, 1], [1000, 1]])
@pytest.mark.parametrize("fractions", [(0.1, 0.1), (0.3, 0.0), (0.0, 0.25), (0.45, 0.45)])
def test_classes_are_held_out_by_their_share(counts, fractions):
    generator = torch.Generator().manual_seed(3)
    label = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    label = label[torch.randperm(len(label), generator=generator)]
    sizes = [int(len(label) * fraction) for fraction in fractions]
    parts = hold_out_of_classes(label, sizes, "mine")
    assert [len(part) for part in parts] == [len(label) - sum(sizes), *sizes]
    assert torch.cat(parts).sort().values.tolist() == list(range(len(label)))
    assert all(part.tolist() == sorted(part.tolist()) for part in parts)
    again = hold_out_of_classes(label, sizes, "mine")
    assert all(torch.equal(one, other) for one, other in zip(parts, again))
    enough = len(label) - sum(sizes) >= len(counts)
    left = torch.bincount(label[parts[0]], minlength=len(counts))
    assert not enough or bool((left >= 1).all()), "a class is held out whole only where there are too few"
    for part, size in zip(parts[1:], sizes):
        held = torch.bincount(label[part], minlength=len(counts))
        exact = torch.tensor(counts) * size / len(label)
        lone = sum(count == 1 for count in counts)  # their share falls to others
        assert bool(((held - exact).abs() <= 1 + lone).all()), (held, exact)


def test_who_is_held_out_of_a_class_is_drawn():
    label = torch.tensor([0, 1] * 100)
    one, other = (hold_out_of_classes(label, [40], name)[1] for name in ("mine", "yours"))
    assert not torch.equal(one, other)
    assert 50 < one.float().mean() < 150
    assert torch.bincount(label[one]).tolist() == torch.bincount(label[other]).tolist() == [20, 20]


def test_classes_may_have_any_numbers():
    """Shards' labels may be the numbers of photographs; a table from 0 up to one of them fits no memory."""
    label = torch.tensor([0, 1, 2, 1] * 25)
    parts = hold_out_of_classes(label, [10, 20], "mine")
    sparse = torch.tensor([3, 7, 10**13])[label]
    for part, other in zip(parts, hold_out_of_classes(sparse, [10, 20], "mine"), strict=True):
        assert torch.equal(part, other)

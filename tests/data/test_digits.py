from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from ganvas.data.digits import Digits


def test_all_digits_are_there_once_in_eight_bits():
    module = Digits()
    parts = [module.split(name) for name in ("train", "val", "test")]
    assert [len(part) for part in parts] == [1437, 180, 180]
    assert module.sample_shape == (1, 8, 8)
    held = load_digits()
    x = torch.cat([part.x for part in parts])
    assert x.dtype == torch.uint8
    levels = x.double() * 16 / 255
    torch.testing.assert_close(levels.round(), levels, atol=0.04, rtol=0)

    def rows(pixels, labels):
        return sorted([*row, label] for row, label in zip(pixels, labels))

    ours = rows(levels.round().flatten(1).tolist(), torch.cat([part.label for part in parts]).tolist())
    assert ours == rows(held.data.tolist(), held.target.tolist())


def test_the_split_is_the_same_for_every_seed():
    assert Digits(seed=1).fingerprint() == Digits(seed=2).fingerprint()
    assert set(Digits().split("val").label.tolist()) == set(range(10))

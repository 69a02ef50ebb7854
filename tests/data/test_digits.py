from __future__ import annotations

import gzip
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ganvas.data import digits
from ganvas.data.digits import Digits
from ganvas.errors import OptionError


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


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b"1,2,3\n"), gzip.compress(b"17," * 64 + b"0\n"), gzip.compress(b"nan"), None],
    ids=["empty", "three numbers", "beyond 16", "no number", "a folder"],
)
def test_a_file_of_other_digits_is_not_believed(tmp_path, monkeypatch, content):
    """scikit-learn is asked instead."""
    path = tmp_path / "datasets" / "data" / "digits.csv.gz"
    path.parent.mkdir(parents=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    monkeypatch.setattr(
        digits, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    )
    assert len(Digits().split("train")) == 1437
    asked = SimpleNamespace(data=np.zeros((1797, 64)), target=np.full(1797, 10))
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: asked)
    with pytest.raises(OptionError, match=r"data=digits: scikit-learn's file holds other digits"):
        Digits().prepare()

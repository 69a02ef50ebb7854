from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ganvas.model.symbols import Symbols


def data(length: int = 5, vocabulary: int = 7, sha256: str | None = None) -> SimpleNamespace:
    ids = None if sha256 is None else SimpleNamespace(sha256=sha256)
    return SimpleNamespace(declared_shape=(length,), vocabulary=vocabulary, ids=ids, num_classes=None)


def test_symbols_are_codes_and_nothing_is_lost():
    found, x = Symbols(data()), torch.randint(7, (3, 5))
    assert torch.equal(found.decode(found.encode(x)), x)
    assert found.rest_nats(x, x).tolist() == [0, 0, 0]
    assert found.rest_nats(x, x).dtype is torch.float64
    assert found.layout.to_plain() == Symbols(data()).layout.to_plain()
    assert found.sample_shape == (5,)
    assert found.num_classes is None


@pytest.mark.parametrize("other", [data(length=6), data(vocabulary=8), data(sha256="a")])
def test_other_symbols_are_another_tokenizer(other):
    assert Symbols(data()).sha256 == Symbols(data()).sha256
    assert Symbols(other).sha256 != Symbols(data()).sha256

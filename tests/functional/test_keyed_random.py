from __future__ import annotations

import math

import pytest
import torch

from ganvas.functional.keyed_random import keyed_normal, keyed_uniform, keys_of


def test_a_key_is_of_a_row_alone() -> None:
    torch.manual_seed(0)
    z = torch.randn(500, 3)
    keys = keys_of(z)
    assert keys.dtype == torch.int64
    assert keys.min() >= 0
    assert len(keys.unique()) == 500
    assert torch.equal(keys_of(z[7:9]), keys[7:9])
    assert torch.equal(keys_of(z.double()), keys), "as float32"
    assert torch.equal(keys_of(z.t().contiguous().t()), keys), "whatever the layout"
    swapped = z.clone()
    swapped[:, [0, 2]] = z[:, [2, 0]]
    assert not (keys_of(swapped) == keys).any(), "a value counts with its place"


def test_the_numbers_stay_what_they_are() -> None:
    """Runs are resumed with them."""
    keys = keys_of(torch.tensor([[0.5, -2.0], [1.0, 0.0]]))
    assert keys.tolist() == KEYS
    torch.testing.assert_close(keyed_normal(keys, "noise", 1, 2).flatten(), torch.tensor(NORMAL))


KEYS = [9017839529363914880, 2195325275419268212]
NORMAL = [0.6914828, -0.9017137, -1.1226308, -0.3373259]


def test_normal_ones() -> None:
    drawn = keyed_normal(torch.arange(64), "noise", 50, 40)
    assert drawn.shape == (64, 50, 40)
    assert drawn.isfinite().all()
    count = drawn.numel()
    assert abs(drawn.mean().item()) < 4 / math.sqrt(count)
    assert drawn.var().item() == pytest.approx(1, abs=4 * math.sqrt(2 / count))
    assert drawn.pow(4).mean().item() == pytest.approx(3, abs=4 * math.sqrt(96 / count))
    inside = (drawn.abs() < 1).double().mean().item()
    assert inside == pytest.approx(math.erf(math.sqrt(0.5)), abs=4 * math.sqrt(0.22 / count))
    rows = drawn.flatten(1)
    correlation = rows @ rows.T / rows.shape[1] - torch.eye(64)
    assert correlation.abs().max() < 6 / math.sqrt(rows.shape[1]), "of one key and another"
    assert abs((rows[:, 1:] * rows[:, :-1]).mean().item()) < 4 / math.sqrt(count), "of neighbours"


def test_uniform_ones() -> None:
    drawn = keyed_uniform(torch.arange(100), "mixing", 300)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts = torch.histc(drawn, 10, 0, 1) / drawn.numel()
    assert (counts - 0.1).abs().max() < 4 * math.sqrt(0.09 / drawn.numel())


def test_purposes_and_parts_of_a_batch() -> None:
    keys = torch.tensor([5, 2**62, 0])
    whole = keyed_normal(keys, "a", 3)
    assert torch.equal(keyed_normal(keys[1:], "a", 3), whole[1:])
    assert not (keyed_normal(keys, "b", 3) == whole).any()

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from ganvas.functional import chunks
from ganvas.functional.entropy import entropy_of_bits, entropy_of_mean, entropy_of_mean_bits


def _joint(logits: Tensor) -> Tensor:
    """Probabilities [N, 2^d] of all values of d independent bits, the slow way."""
    ones = torch.sigmoid(logits)
    columns = [
        torch.stack([ones[:, b] if bit else 1 - ones[:, b] for b, bit in enumerate(bits)]).prod(0)
        for bits in itertools.product((0, 1), repeat=logits.shape[1])
    ]
    return torch.stack(columns, dim=1)


def test_the_entropy_of_a_bit() -> None:
    p = torch.tensor([0.5, 0.1, 0.9, 0.999], dtype=torch.float64)
    expected = -(p * p.log() + (1 - p) * (1 - p).log())
    torch.testing.assert_close(entropy_of_bits(torch.logit(p)), expected)
    assert entropy_of_bits(torch.zeros(())).item() == pytest.approx(math.log(2))
    far = torch.tensor([-torch.inf, -1e38, 1e30, 90.0], requires_grad=True)
    entropy_of_bits(far).sum().backward()
    assert (entropy_of_bits(far) < 1e-30).all()
    assert far.grad is not None
    assert far.grad.isfinite().all()


def test_its_slope() -> None:
    logits = torch.tensor([-3.0, -0.2, 0.7, 5.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(entropy_of_bits, logits)


def test_bits_of_a_vector_add_up_to_the_entropy_over_all_codes() -> None:
    logits = torch.randn(7, 5, dtype=torch.float64)
    torch.testing.assert_close(entropy_of_bits(logits).sum(1), torch.special.entr(_joint(logits)).sum(1))


@pytest.mark.parametrize("numbers", [2**20, 32])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_mean_over_codes_is_exact_in_one_group(
    is_weighted: bool, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_CPU_NUMBERS", numbers)  # 32: of 13 vectors 2 at a time
    torch.manual_seed(0)
    logits = torch.randn(13, 5, dtype=torch.float64, requires_grad=True)
    weight = (torch.rand(13) > 0.4).double() if is_weighted else None
    rows = _joint(logits if weight is None else logits[weight > 0])
    expected = torch.special.entr(rows.mean(0)).sum()
    found = entropy_of_mean_bits(logits, weight, group_bits=5, over_ranks=False)
    torch.testing.assert_close(found, expected)
    (wanted,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(torch.autograd.grad(found, logits)[0], wanted)


def test_groups_add_up_from_above() -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(6, 5, dtype=torch.float64)
    found = {g: entropy_of_mean_bits(logits, None, group_bits=g, over_ranks=False) for g in (1, 2, 3, 4, 5)}
    for group, parts in {1: [1] * 5, 2: [2, 2, 1], 3: [3, 2], 4: [3, 2]}.items():
        each = [torch.special.entr(_joint(part).mean(0)).sum() for part in logits.split(parts, dim=1)]
        torch.testing.assert_close(found[group], torch.stack(each).sum())
    assert found[5] < found[3] < found[2] < found[1]


def test_36_bits_in_groups() -> None:
    torch.manual_seed(0)
    logits = 20 * torch.randn(50, 36)
    found = entropy_of_mean_bits(logits, None, group_bits=9, over_ranks=False).item()
    each = entropy_of_bits(logits).sum(1).mean().item()
    # a mixture of 50 has at most log 50 more than its parts, in each of 4 groups; it has nearly that
    assert 0.9 * 4 * math.log(50) < found - each < 4 * math.log(50)


def test_nothing_and_zeros_have_no_entropy_and_no_infinite_slope() -> None:
    zero = torch.zeros(())
    total = torch.tensor([2.0, 0.0, 2.0], requires_grad=True)
    entropy = entropy_of_mean(total, torch.tensor(4.0), over_ranks=False)
    entropy.backward()
    assert entropy.item() == pytest.approx(math.log(2))
    assert total.grad is not None
    assert total.grad.isfinite().all()
    assert entropy_of_mean(torch.zeros(3), zero, over_ranks=False).item() == 0

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.functional import chunks
from ganvas.functional.code_losses import entropy_loss, orthogonal_loss


def _entropy(rows: Tensor, codes: Tensor, **options: Any) -> Tensor:
    usual = {"temperature": 0.7, "diversity": 0.6, "over_ranks": False}
    return entropy_loss(rows, codes, **(usual | options))


def _by_definition(rows: Tensor, codes: Tensor, temperature: float, diversity: float) -> Tensor:
    distances = (rows[:, None] - codes[None]).square().sum(2)
    p = (-distances / temperature).softmax(1)
    each = -(p * p.log()).sum(1).mean()
    mean = p.mean(0)
    return each + diversity * (mean * mean.log()).sum()


def test_orthogonal_loss_in_closed_form() -> None:
    torch.manual_seed(0)
    codes = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    unit = codes / codes.norm(dim=1, keepdim=True)
    expected = ((unit @ unit.T - torch.eye(6)) ** 2).sum() / 36
    torch.testing.assert_close(orthogonal_loss(codes), expected)
    (grad,), (wanted,) = (torch.autograd.grad(one, codes) for one in (orthogonal_loss(codes), expected))
    torch.testing.assert_close(grad, wanted)
    assert orthogonal_loss(7 * torch.eye(4)).item() == pytest.approx(0, abs=1e-7)
    assert orthogonal_loss(torch.ones(3, 4)).item() == pytest.approx(6 / 9)


@pytest.mark.parametrize("scores", [8, 96, 2**20])
def test_entropy_loss_is_its_definition_in_any_chunks(monkeypatch: pytest.MonkeyPatch, scores: int) -> None:
    monkeypatch.setattr(chunks, "_CPU_NUMBERS", scores)
    torch.manual_seed(0)
    rows, codes = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (10, 8))
    found, expected = _entropy(rows, codes), _by_definition(rows, codes, 0.7, 0.6)
    torch.testing.assert_close(found, expected)
    for grad, wanted in zip(
        torch.autograd.grad(found, (rows, codes)), torch.autograd.grad(expected, (rows, codes)), strict=True
    ):
        torch.testing.assert_close(grad, wanted)


def test_entropies_at_their_ends() -> None:
    codes = 10 * torch.eye(5)
    sure_and_even = _entropy(codes, codes, diversity=1.0)
    assert sure_and_even.item() == pytest.approx(-math.log(5))
    sure_of_one = _entropy(codes[:1].repeat(4, 1), codes, diversity=1.0)
    assert sure_of_one.item() == pytest.approx(0, abs=1e-6)
    unsure = _entropy(torch.zeros(3, 5), codes, diversity=0.0)
    assert unsure.item() == pytest.approx(math.log(5))


def test_a_mean_far_away_changes_nothing() -> None:
    torch.manual_seed(0)
    rows, codes = torch.randn(30, 3), torch.randn(8, 3)
    expected = _entropy(rows.double(), codes.double(), temperature=0.01).float()
    torch.testing.assert_close(
        _entropy(rows + 64, codes + 64, temperature=0.01), expected, rtol=0.01, atol=0.001
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(_entropy(rows, codes, temperature=0.01), expected, rtol=1e-3, atol=1e-4)


def test_rows_that_are_left_out_count_nowhere() -> None:
    torch.manual_seed(0)
    rows, codes = torch.randn(10, 3), torch.randn(8, 3)
    weight = torch.tensor([1.0] * 6 + [0.0] * 4)
    found = _entropy(rows, codes, weight=weight)
    torch.testing.assert_close(found, _entropy(rows[:6], codes))
    assert _entropy(rows, codes, weight=torch.zeros(10)).item() == 0


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    source = """
        from ganvas.functional.code_losses import entropy_loss

        torch.manual_seed(0)
        rows, codes = torch.randn(12, 3), torch.randn(8, 3, requires_grad=True)
        own = rows[6 * rank : 6 * rank + 6].requires_grad_(True)
        loss = entropy_loss(
            own, codes, temperature=0.7, diversity=0.6, over_ranks=True
        )
        result = [loss.detach(), *torch.autograd.grad(loss, (own, codes))]
    """
    torch.manual_seed(0)
    rows, codes = torch.randn(12, 3), torch.randn(8, 3, requires_grad=True)
    loss = _entropy(rows.requires_grad_(True), codes)
    by_rows, by_codes = torch.autograd.grad(loss, (rows, codes))
    first, second = two_ranks(source)
    torch.testing.assert_close((first[0] + second[0]) / 2, loss.detach())
    torch.testing.assert_close(torch.cat([first[1], second[1]]) / 2, by_rows)
    torch.testing.assert_close((first[2] + second[2]) / 2, by_codes)

from __future__ import annotations

import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.reconstruction_loss.cross_entropy import CrossEntropy


def test_closed_form_and_gradient():
    p = torch.tensor([[0.5, 0.2], [0.25, 0.2], [0.25, 0.6]], dtype=torch.float64)[None]  # [1, V=3, T=2]
    logits = (p.log() + 3).requires_grad_()
    target = torch.tensor([[1, 2]])
    loss = CrossEntropy()(reconstruction=logits, target=target)
    assert loss.item() == pytest.approx(-(math.log(0.25) + math.log(0.6)) / 2, rel=1e-12)
    loss.backward()
    said = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)[None]
    torch.testing.assert_close(logits.grad, (p - said) / 2)


def test_it_is_float32_from_halves():
    logits = torch.zeros(2, 256, 3, dtype=torch.bfloat16)
    loss = CrossEntropy()(reconstruction=logits, target=torch.zeros(2, 3, dtype=torch.int64))
    assert loss.dtype is torch.float32
    assert loss.item() == pytest.approx(math.log(256), rel=1e-6)


def test_its_weight():
    logits, target = torch.randn(2, 5, 3), torch.randint(5, (2, 3))
    once, thrice = (CrossEntropy(weight)(reconstruction=logits, target=target) for weight in (1.0, 3.0))
    assert thrice.item() == pytest.approx(3 * once.item(), rel=1e-6)
    with pytest.raises(OptionError, match="must be positive"):
        CrossEntropy(0.0)

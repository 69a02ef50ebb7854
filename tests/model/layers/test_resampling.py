from __future__ import annotations

import torch

from ganvas.model.layers.resampling import Resampling


def test_resampling() -> None:
    resampling = Resampling()
    ones = torch.ones(1, 2, 8, 8)
    assert torch.equal(resampling.doubled(ones)[..., 1:-1, 1:-1], torch.ones(1, 2, 14, 14))
    assert torch.equal(resampling.halved(ones)[..., 1:-1, 1:-1], torch.ones(1, 2, 2, 2))
    spike = torch.zeros(1, 1, 4, 4)
    spike[0, 0, 1, 2] = 64
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    expected = torch.zeros(8, 8)
    expected[1:5, 3:7] = 4 * torch.outer(line, line)
    torch.testing.assert_close(resampling.doubled(spike)[0, 0], expected)
    assert not resampling.state_dict(), "nothing of it is in a checkpoint"


def test_halving_is_the_transpose_of_doubling() -> None:
    resampling = Resampling()
    x, y = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 8, 8)
    left, right = (resampling.doubled(x) * y).sum(), 4 * (x * resampling.halved(y)).sum()
    torch.testing.assert_close(left, right)


def test_blurring_keeps_a_constant_and_is_a_correlation() -> None:
    torch.manual_seed(0)
    resampling, x = Resampling(), torch.randn(2, 3, 5, 6)
    assert torch.equal(resampling.blurred(torch.ones(1, 1, 6, 6), 0), torch.ones(1, 1, 3, 3))
    blurred = resampling.blurred(x, 2)
    assert blurred.shape == (2, 3, 6, 7)
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    torch.testing.assert_close(blurred[1, 2, 2, 3], line @ x[1, 2, 0:4, 1:5] @ line)
    torch.testing.assert_close(resampling.blurred(x, 1)[..., ::2, ::2], resampling.halved(x)[..., :2, :3])

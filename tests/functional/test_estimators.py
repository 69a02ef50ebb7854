from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from ganvas.functional.estimators import diveq, diveq_noise, rotation_trick

WIDE = {"dtype": torch.float64}


def _pair(rows: int = 7, dim: int = 4) -> tuple[Tensor, Tensor]:
    """Latents, and codes of other lengths."""
    torch.manual_seed(0)
    return torch.randn(rows, dim, **WIDE), 3 * torch.randn(rows, dim, **WIDE)


def _rotation(e: Tensor, q: Tensor) -> Tensor:
    """R [D, D] of the paper, of one latent and its code."""
    e, q = e / e.norm(), q / q.norm()
    r = (e + q) / (e + q).norm()
    return torch.eye(len(e), **WIDE) - 2 * torch.outer(r, r) + 2 * torch.outer(q, e)


def test_the_rotation_trick_in_closed_form() -> None:
    z, codes = _pair()
    latent, upstream = z.clone().requires_grad_(True), torch.randn(7, 4, **WIDE)
    output = rotation_trick(quantized=codes, latent=latent)
    assert torch.equal(output, codes)
    output.backward(upstream)
    for number in range(7):
        e, q = z[number], codes[number]
        turn = _rotation(e, q)
        torch.testing.assert_close(turn @ turn.T, torch.eye(4, **WIDE))
        torch.testing.assert_close(q.norm() / e.norm() * turn @ e, q)  # angles stay: e goes onto q
        torch.testing.assert_close(latent.grad[number], q.norm() / e.norm() * turn.T @ upstream[number])


def test_no_gradient_reaches_the_codes_of_the_rotation_trick() -> None:
    z, codes = _pair()
    codes.requires_grad_(True)
    rotation_trick(quantized=codes, latent=z.requires_grad_(True)).sum().backward()
    assert codes.grad is None


def _maps(z: Tensor, code: Tensor) -> Tensor:
    """The Jacobian [D, D] at one latent."""
    found = jacobian(lambda x: rotation_trick(quantized=code[None], latent=x[None])[0], z)
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("near", [0.0, 1e-16, 1e-9, 1e-5, 1e-2])
def test_opposite_vectors_have_an_orthogonal_map_too(near: float) -> None:
    z = torch.tensor([0.6, -0.8, 0.0], **WIDE)
    code = -2 * z + near * torch.tensor([0.8, 0.6, 1.0], **WIDE)
    turn = _maps(z, code) / code.norm()
    torch.testing.assert_close(turn @ turn.T, torch.eye(3, **WIDE), rtol=0, atol=1e-12)
    torch.testing.assert_close(turn @ z, code / code.norm(), rtol=0, atol=2e-8)


def test_float32_near_opposite_is_orthogonal() -> None:
    z = torch.tensor([0.6, -0.8, 0.0])
    for near in (1e-7, 1e-6, 1e-5, 1e-4):
        code = -z + near * torch.tensor([0.8, 0.6, 1.0])
        found = jacobian(lambda x, code=code: rotation_trick(quantized=code[None], latent=x[None])[0], z)
        turn = found / code.norm()
        torch.testing.assert_close(turn @ turn.T, torch.eye(3), rtol=0, atol=1e-5)
        torch.testing.assert_close(turn @ z, code / code.norm(), rtol=0, atol=1e-3)


def test_a_latent_without_direction_is_straight_through() -> None:
    _, codes = _pair()
    latent, upstream = torch.zeros(7, 4, **WIDE), torch.randn(7, 4, **WIDE)
    latent[1] = 1e-9 * torch.randn(4, **WIDE)  # a scale of billions
    latent.requires_grad_(True)
    rotation_trick(quantized=codes, latent=latent).backward(upstream)
    assert torch.equal(latent.grad, upstream)


def test_a_code_of_zeros_stops_the_gradient() -> None:
    latent = torch.randn(2, 3, requires_grad=True)
    output = rotation_trick(quantized=torch.zeros(2, 3), latent=latent)
    output.sum().backward()
    assert not output.any()
    assert not latent.grad.any()


def test_diveq_without_noise_in_closed_form() -> None:
    z, codes = _pair(rows=1)
    assert torch.equal(diveq(code=codes, latent=z), codes)
    by_latent, by_code = jacobian(lambda x, c: diveq(code=c[None], latent=x[None])[0], (z[0], codes[0]))
    d = (codes[0] - z[0]) / (codes[0] - z[0]).norm()
    torch.testing.assert_close(by_latent, torch.eye(4, **WIDE) - torch.outer(d, d))
    torch.testing.assert_close(by_code, torch.outer(d, d))


@pytest.mark.parametrize("scale", [1e-3, 0.1, 30.0])
def test_diveq_is_as_far_as_the_code_in_a_direction_near_it(scale: float) -> None:
    z, codes = _pair()
    noise = scale * torch.randn(7, 4, **WIDE)
    found = diveq(code=codes, latent=z, noise=noise)
    torch.testing.assert_close((found - z).norm(dim=1), (codes - z).norm(dim=1))
    assert not torch.equal(found, codes)
    v = codes - z + noise
    torch.testing.assert_close((found - z) / (found - z).norm(dim=1)[:, None], v / v.norm(dim=1)[:, None])


def test_a_latent_on_its_code_has_finite_gradients() -> None:
    for noise in (None, 0.1 * torch.randn(2, 3)):
        z = torch.randn(2, 3).requires_grad_(True)
        codes = z.detach().clone().requires_grad_(True)
        output = diveq(code=codes, latent=z, noise=noise)
        torch.testing.assert_close(output, codes)
        output.sum().backward()
        assert torch.equal(z.grad, torch.ones(2, 3))
        assert not codes.grad.any()


def test_the_noise_is_a_function_of_batch_and_row() -> None:
    like = torch.zeros(20_000, 8)
    noise = diveq_noise(torch.tensor(3), like)
    assert torch.equal(noise, diveq_noise(torch.tensor(3), like))
    assert torch.equal(noise[:5], diveq_noise(torch.tensor(3), like[:5]))
    assert noise.mean().abs().item() < 1e-3
    assert noise.var().item() == pytest.approx(0.005, rel=0.02)
    other = diveq_noise(torch.tensor(4), like)
    for one, two in ((noise, other), (noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert (one * two).mean().abs().item() < 0.005 * 0.02
    assert diveq_noise(torch.tensor(3), like.double()).dtype == torch.float64


def test_the_ranks_noise_is_that_of_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    source = """
        from ganvas.functional.estimators import diveq_noise

        result = diveq_noise(torch.tensor(3), torch.zeros(6, 2))
    """
    expected = diveq_noise(torch.tensor(3), torch.zeros(12, 2))
    assert torch.equal(torch.cat(two_ranks(source)), expected)


@pytest.mark.parametrize("size", [3e19, 1e38])
def test_diveq_of_latents_whose_squares_are_infinite(size: float) -> None:
    z = torch.tensor([[size, -0.5 * size], [0.25, 0.5]], requires_grad=True)
    code = torch.tensor([[1.0, 2.0], [1.0, 2.0]], requires_grad=True)
    upstream = torch.tensor([[1.0, 3.0], [2.0, -1.0]])
    wide, wide_code = (one.detach().double().requires_grad_(True) for one in (z, code))
    noise = torch.tensor([[0.1, -0.2], [0.3, 0.1]])
    for own in (None, noise):
        found = torch.autograd.grad((diveq(code=code, latent=z, noise=own) * upstream).sum(), (z, code))
        shifted = diveq(code=wide_code, latent=wide, noise=None if own is None else own.double())
        asked = torch.autograd.grad((shifted * upstream).sum(), (wide, wide_code))
        torch.testing.assert_close(found, tuple(one.float() for one in asked))

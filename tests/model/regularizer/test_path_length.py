from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.keyed_random import keys_of
from ganvas.functional.random import Draws
from ganvas.model.generator.style import StyleGenerator
from ganvas.model.regularizer.path_length import PathLength

LAYERS, W, SIDE = 3, 5, 4


class Linear(nn.Module):
    """Images that are linear in the styles: sum over layers of A_l w_l, times a number."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.randn(LAYERS, W, SIDE * SIDE, dtype=torch.float64)
        self.factor = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))

    def styles(self, z: Tensor, label: Tensor | None) -> Tensor:
        w = z[:, None, :W].expand(-1, LAYERS, -1)
        return w if label is None else w * label[:, None, None]

    def synthesize(self, styles: Tensor, keys: Tensor) -> Tensor:
        assert keys.shape == styles.shape[:1]
        rows = torch.einsum("blw,lwp->bp", styles, self.a) * self.factor
        return rows.view(-1, 1, SIDE, SIDE)


def game(batch: int = 4, **options: Any) -> Any:
    torch.manual_seed(0)
    network = Linear()
    parts = {
        "z": torch.randn(batch, W, dtype=torch.float64).requires_grad_(),
        "made": torch.zeros(batch, 1, SIDE, SIDE),
        "generator": network,
        "label": None,
        "draws": Draws(3, 0),
        "whole_batch": lambda values: values.detach(),
    }
    return SimpleNamespace(**parts | options)


def lengths(one: Any) -> Tensor:
    """sqrt(mean over layers of |A_l' y|^2) times the factor, with a graph."""
    network, count = one.generator, -(-len(one.z) // 2)
    y = one.draws.normal("path_length", count, 1, SIDE, SIDE).double().flatten(1) / SIDE
    gradients = torch.einsum("lwp,bp->blw", network.a, y) * network.factor
    return gradients.square().sum(2).mean(1).sqrt()


def test_the_first_step_of_one_sample() -> None:
    one = game(batch=1)
    term = PathLength(weight=2.0, interval=1).generator(one)
    (length,) = lengths(one)
    assert term.item() == pytest.approx(2 * (0.99 * length.item()) ** 2, rel=1e-9)
    term.backward()
    # the gradient flows through the mean too: d/df 2 (0.99 f l)^2, of which 0.99^2 and not 0.99 is left
    slope = 2 * 2 * 0.99**2 * length.item() ** 2 / 1.5
    assert one.generator.factor.grad.item() == pytest.approx(slope, rel=1e-9)


def test_value_and_gradient_of_a_batch_are_those_of_the_formula() -> None:
    one, part = game(batch=8), PathLength(weight=3.0, interval=4)
    part.mean.fill_(0.7)
    term = part.generator(one)
    assert part.mean.item() == pytest.approx(0.7), "it moves when the next step begins"
    expected_lengths = lengths(one)
    mean = 0.99 * part.mean.double() + 0.01 * expected_lengths.mean()
    expected = 4 * 3.0 * (expected_lengths - mean).square().mean()
    assert term.item() == pytest.approx(expected.item(), rel=1e-6)
    (found,) = torch.autograd.grad(term, one.generator.factor)
    (wanted,) = torch.autograd.grad(expected, one.generator.factor)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)
    part.generator(one)
    part.begin_step()
    assert part.mean.item() == pytest.approx(mean.item(), rel=1e-6)
    part.begin_step()
    assert part.mean.item() == pytest.approx(mean.item(), rel=1e-6)


def test_shares_of_a_batch_add_up_to_it() -> None:
    whole = game(batch=8)
    everyone = lengths(whole).detach()
    expected = PathLength().generator(whole)
    (wanted,) = torch.autograd.grad(expected, whole.generator.factor)
    terms, gradients = [], []
    for rank in range(2):
        share = game(
            z=whole.z[4 * rank : 4 * rank + 4],
            draws=Draws(3, 0, rank, 2),
            whole_batch=lambda values: everyone,
        )
        terms.append(PathLength().generator(share))
        gradients.append(torch.autograd.grad(terms[-1], share.generator.factor)[0])
    torch.testing.assert_close(sum(terms) / 2, expected)
    torch.testing.assert_close(sum(gradients) / 2, wanted)


def test_a_style_generator() -> None:
    """Every second sample, of its own class and noise; every weight that makes images learns of it."""
    torch.manual_seed(0)
    network = StyleGenerator(6, 1, 8, w_dim=5, channel_max=6, num_classes=3)
    for layer in network.layers:
        nn.init.constant_(layer.noise_strength, 0.3)
    z, label = torch.randn(4, 6), torch.tensor([0, 2, 1, 1])
    before = network.state_dict()["w_sum"].clone()
    made = network(z, label)
    whole = lambda values: values.detach()  # noqa: E731
    one = SimpleNamespace(
        z=z, made=made, generator=network, label=label, draws=Draws(3, 0), whole_batch=whole
    )
    part = PathLength(weight=1.0, interval=1)
    term = part.generator(one)
    styles = network.styles(z[::2], label[::2]).detach().requires_grad_()
    images = network.synthesize(styles, keys_of(z[::2]))
    torch.testing.assert_close(images, made[::2])
    y = Draws(3, 0).normal("path_length", 2, 1, 8, 8) / 8
    (gradient,) = torch.autograd.grad((images * y).sum(), styles)
    each = gradient.square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(term, (each - 0.01 * each.mean()).square().mean())
    torch.testing.assert_close(part.next_mean, 0.01 * each.mean())
    term.backward()
    learns = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert {"constant", "mapping.layers.0.weight", "layers.2.convolution.weight"} <= learns
    assert not torch.equal(network.w_sum, before), "made counts"
    torch.testing.assert_close(network.w_batches, torch.tensor(1.0), msg="and what is made here does not")


def test_a_gradient_of_zero_has_a_finite_one() -> None:
    one = game()
    with torch.no_grad():
        one.generator.factor.zero_()
    PathLength().generator(one).backward()
    assert math.isfinite(one.generator.factor.grad.item())


def test_a_generator_without_styles() -> None:
    with pytest.raises(OptionError, match="model=style") as error:
        PathLength().check(nn.Identity(), torch.zeros(2, 1, 8, 8))
    assert error.value.option == "regularizer.path_length"
    PathLength().check(StyleGenerator(6, 1, 8, w_dim=5, channel_max=6), torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize(("option", "value"), [("weight", 0.0), ("interval", 0)])
def test_options_are_checked(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        PathLength(**{option: value})

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.features.efficientnet_lite0 import EfficientNetLite0
from ganvas.metric.features.inception import shown
from ganvas.metric.features.pixels import Pixels
from ganvas.metric.interface import Features
from ganvas.model.reconstruction_loss.perceptual import Perceptual

FACTS = DataFacts(sample_shape=[1, 2, 2], num_classes=None, train_sha256="", name="Mine")


class Linear:
    """Features that are a linear map of the pixels, in float32 as every extractor's."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.matrix = torch.randn(4, 3, generator=generator)
        self.protocol: dict[str, object] = {"name": "linear", "seed": 0}

    def check(self, facts: DataFacts) -> None:
        assert facts.sample_shape == [1, 2, 2]

    def __call__(self, x: Tensor) -> Features:
        return Features(x.float().flatten(1) @ self.matrix)


def samples() -> tuple[Tensor, Tensor]:
    x, y = torch.randn(2, 5, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    return x.requires_grad_(True), y


def test_closed_form_and_gradient() -> None:
    features, (x, y) = Linear(), samples()
    loss = Perceptual(features, scale_to_unit=False, weight=2.0)(reconstruction=x, target=y)
    difference = (x - y).detach().flatten(1) @ features.matrix  # [5, 3]
    torch.testing.assert_close(loss.detach(), 2 * difference.square().sum() / 15)
    loss.backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad.flatten(1), 2 * 2 * difference @ features.matrix.T / 15)


def test_with_features_of_length_one() -> None:
    features, (x, y) = Linear(), samples()
    loss = Perceptual(features)(reconstruction=x, target=y)
    cosine = torch.cosine_similarity(features(x).features, features(y).features)
    torch.testing.assert_close(loss, (2 - 2 * cosine).mean())
    assert Perceptual(features)(reconstruction=2 * x, target=x).item() == pytest.approx(0, abs=1e-6)
    zero = Perceptual(features)(reconstruction=torch.zeros_like(x).requires_grad_(True), target=y)
    assert zero.item() == pytest.approx(1, rel=1e-6)  # no direction: neither near nor far


def test_autocast_leaves_the_features_alone() -> None:
    features, (x, y) = Linear(), samples()
    loss = Perceptual(features)
    expected = loss(reconstruction=x, target=y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(reconstruction=x, target=y), expected)


def test_an_extractor_that_lets_no_gradient_through_is_refused() -> None:
    class Closed(Linear):
        @torch.no_grad()
        def __call__(self, x: Tensor) -> Features:
            return super().__call__(x)

    class Rounded(Linear):
        def __call__(self, x: Tensor) -> Features:
            return super().__call__(x.round())

    loss = Perceptual(Linear())
    loss.check(lambda: FACTS)
    assert loss.rests_on() == {"name": "linear", "seed": 0}
    for features in (Closed(), Rounded()):
        with pytest.raises(OptionError, match=f"^features={type(features).__name__}: lets no gradient"):
            Perceptual(features).check(lambda: FACTS)


def test_what_an_extractor_refuses_is_named_by_its_place() -> None:
    class Picky(Linear):
        def check(self, facts: DataFacts) -> None:
            raise OptionError(self.option, "x", "is none; metric/features=pixels takes anything")

        option = "features"

    picky = Picky()
    with pytest.raises(OptionError) as error:
        Perceptual(picky).check(lambda: FACTS)
    assert error.value.option == "features"
    place = "metric/features@model.reconstruction_loss.perceptual.features=pixels"
    assert error.value.reason == f"is none; {place} takes anything"
    picky.option = "weights"
    with pytest.raises(OptionError) as error:
        Perceptual(picky).check(lambda: FACTS)
    assert error.value.option == "features.weights"


def test_gradients_pass_pixels_and_inceptions_rounding() -> None:
    x = (torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1).requires_grad_(True)
    Pixels(4)(x).features.square().sum().backward()
    assert x.grad is not None
    assert x.grad.any(1).all()
    with torch.no_grad():
        expected = shown(x)
    x.grad = None
    made = shown(x)
    torch.testing.assert_close(made.detach(), expected, rtol=0, atol=1e-5)
    made.square().sum().backward()
    assert x.grad.ne(0).float().mean() > 0.9


@pytest.mark.skipif(find_spec("efficientnet_lite_pytorch") is None, reason="needs the extra metrics")
def test_gradients_pass_a_network_that_never_moves() -> None:
    features = EfficientNetLite0(resize=32)
    loss = Perceptual(features)
    facts = FACTS._replace(sample_shape=[1, 28, 28])
    loss.check(lambda: facts)
    before = {name: value.clone() for name, value in features.network.state_dict().items()}
    x, y = torch.rand(2, 17, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9  # two chunks
    x.requires_grad_(True)
    value = loss(reconstruction=x, target=y)
    value.backward()
    assert x.grad is not None
    assert all(x.grad.flatten(1).ne(0).any(1))
    squared = x.grad.square().sum().item()
    with torch.no_grad():
        step = 1e-4 / squared * x.grad
        ahead, behind = (loss(reconstruction=x + sign * step, target=y).item() for sign in (1, -1))
    assert (ahead - behind) / 2 == pytest.approx(1e-4, rel=0.05)
    assert not features.network.training
    assert all(p.grad is None and not p.requires_grad for p in features.network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in features.network.state_dict().items())

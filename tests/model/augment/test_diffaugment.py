from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import OptionError
from ganvas.functional.gradients import mean_squared_gradient
from ganvas.functional.random import Draws
from ganvas.model.augment.diffaugment import DiffAugment

DRAWS = Draws(seed=3, step=4)


def images(batch: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def test_colour_adds_to_grey_constants_a_uniform_brightness() -> None:
    x = torch.full((4_000, 3, 2, 2), 0.25, dtype=torch.float64)
    change = DiffAugment(["color"])(x, DRAWS, "real") - x
    assert change.flatten(1).std(1).max() < 1e-12
    change = change[:, 0, 0, 0]
    assert -0.5 <= change.min() < -0.49
    assert 0.49 < change.max() < 0.5
    assert change.mean().abs() < 4 * (1 / 12 / 4_000) ** 0.5


def test_colour_is_saturation_about_the_channels_mean_then_contrast_about_the_images() -> None:
    x = images(4_000, 3, 2, 3)
    shown = DiffAugment(["color"])(x, DRAWS, "real")
    grey, shown_grey = (one.mean(1, keepdim=True) for one in (x, shown))
    middle, shown_middle = (one.mean((1, 2, 3), keepdim=True) for one in (x, shown))
    contrast = ((shown_grey - shown_middle) / (grey - middle)).flatten(1)
    assert contrast.std(1).max() < 1e-9
    chroma = ((shown - shown_grey) / (x - grey)).flatten(1)
    assert chroma.std(1).max() < 1e-9
    saturation = chroma[:, 0] / contrast[:, 0]
    for values, low, high in ((contrast[:, 0], 0.5, 1.5), (saturation, 0.0, 2.0)):
        assert low <= values.min() < low + 0.01
        assert high - 0.01 < values.max() <= high
        assert values.mean().item() == pytest.approx(1, abs=4 * (high - low) / (12 * 4_000) ** 0.5)
    brightness = (shown_middle - middle).flatten()
    assert torch.corrcoef(torch.stack([brightness, contrast[:, 0], saturation])).triu(1).abs().max() < 0.07


def test_translation_shifts_by_an_eighth_at_most_and_fills_with_zeros() -> None:
    x = images(1, 2, 16, 24).expand(3_000, -1, -1, -1)
    shown = DiffAugment(["translation"])(x, DRAWS, "real")
    padded, found = F.pad(x[0], (3, 3, 2, 2)), torch.zeros(5, 7)
    for down in range(-2, 3):
        for right in range(-3, 4):
            shifted = padded[:, 2 - down : 18 - down, 3 - right : 27 - right]
            found[down, right] = (shown == shifted).flatten(1).all(1).sum()
    assert found.sum() == 3_000
    expected = 3_000 / 35
    assert ((found - expected).square() / expected).sum() < 34 + 4 * (2 * 34) ** 0.5  # chi squared
    assert int(5 / 8 + 0.5) == 1, "an eighth of 5 pixels is rounded"
    assert (DiffAugment(["translation"])(images(1, 1, 5, 5).expand(50, -1, -1, -1), DRAWS, "real") == 0).any()


@pytest.mark.parametrize("size", [16, 9])
def test_cutout_is_a_square_of_half_the_side_about_a_pixel_or_corner(size: int) -> None:
    x = torch.ones(3_000, 2, size, size + 2)
    shown = DiffAugment(["cutout"])(x, DRAWS, "real")
    hole = shown[:, 0] == 0
    assert torch.equal(shown, 1.0 * ~hole[:, None].expand_as(x)), "zero in all channels, and nothing else"
    rows, columns = hole.any(2), hole.any(1)
    assert torch.equal(hole, rows[:, :, None] & columns[:, None, :]), "a rectangle"
    for line in (rows, columns):
        length = line.shape[1]
        side, width = int(length / 2 + 0.5), line.sum(1)
        ends = line[:, 0].long() + line.diff(dim=1).sum(1) + line[:, -1]
        assert (ends == 2).all(), "in one piece"
        assert width.max() == side
        places = (
            length + 1 - side % 2
        )  # of its middle, all as likely; near the border a part of it is outside
        share = (width == side).double().mean().item()
        assert share == pytest.approx((length - side + 1) / places, abs=4 * 0.5 / 3_000**0.5)


def test_policies_are_applied_in_the_order_of_the_list() -> None:
    x = images(20, 1, 8, 8)
    alone = {name: DiffAugment([name]) for name in ("color", "translation", "cutout")}
    for order in (("color", "translation", "cutout"), ("cutout", "color")):
        expected = x
        for name in order:
            expected = alone[name](expected, DRAWS, "real")
        assert torch.equal(DiffAugment(order)(x, DRAWS, "real"), expected)
    assert torch.equal(DiffAugment()(x, DRAWS, "real"), DiffAugment(tuple(alone))(x, DRAWS, "real"))


def test_shares_of_a_batch_are_those_of_the_whole() -> None:
    x, augment = images(8, 3, 8, 8), DiffAugment()
    whole = augment(x, DRAWS, "real")
    for shares in ([Draws(3, 4, rank, 2) for rank in range(2)], [DRAWS.part(i, 2) for i in range(2)]):
        parts = [augment(x[4 * i :][:4], shares[i], "real") for i in range(2)]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-12)
    for other in (augment(x, DRAWS, "fake"), augment(x, Draws(3, 5), "real")):
        assert ((other - whole).flatten(1).abs().amax(1) > 0.01).all()


def test_gradients_of_every_order() -> None:
    x = images(3, 3, 4, 5).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: DiffAugment()(x, DRAWS, "real").sin(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: DiffAugment()(x, DRAWS, "real").sin(), (x,))
    weight = images(1, 3, 4, 5).requires_grad_(True)

    def critic(x: Tensor) -> Tensor:
        return (weight * DiffAugment()(x, DRAWS, "real")).flatten(1).sum(1).square()

    penalty = mean_squared_gradient(critic, x)
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(
        (weight * gradient).sum(), 4 * penalty
    )  # it is of the fourth degree in the weight


def test_float32_under_autocast() -> None:
    x, augment = images(6, 3, 8, 8, dtype=torch.float32), DiffAugment()
    expected = augment(x, DRAWS, "real")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment(x, DRAWS, "real"), expected)
        half = augment(x.bfloat16(), DRAWS, "real")
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half, augment(x.bfloat16().float(), DRAWS, "real").bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize("policy", [[], ["colour"], ["color", "color"]])
def test_options_are_checked(policy: list[str]) -> None:
    with pytest.raises(OptionError) as error:
        DiffAugment(policy)
    assert error.value.option == "policy"


def test_what_is_no_image_is_refused() -> None:
    DiffAugment().check(torch.zeros(1, 5, 4, 4))
    with pytest.raises(OptionError, match=r"augment=DiffAugment: changes images .* here is \[2\]"):
        DiffAugment().check(torch.zeros(1, 2))

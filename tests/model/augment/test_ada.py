from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.gradients import mean_squared_gradient
from ganvas.functional.random import Draws
from ganvas.model.augment.ada import ADA
from ganvas.model.augment.pipeline import SETS, TRANSFORMS

DRAWS = Draws(seed=3, step=4)


def images(batch: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def only(name: str, p: float = 1.0) -> ADA:
    return ADA(multipliers={one: float(one == name) for one in TRANSFORMS}, p=p)


def shown(augment: ADA, x: Tensor) -> Tensor:
    return augment(x, DRAWS, "real")


def changed(augment: ADA, x: Tensor) -> float:
    """The share of samples that are no longer what they were."""
    return (shown(augment, x) != x).flatten(1).any(1).double().mean().item()


def near(value: float, expected: float, count: int) -> bool:
    return abs(value - expected) < 4 * math.sqrt(expected * (1 - expected) / count) + 1e-12


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pipeline", SETS)
def test_with_p_0_samples_are_as_they_were(pipeline: str, channels: int) -> None:
    x = images(4, channels, 8, 8)
    torch.testing.assert_close(shown(ADA(pipeline), x), x, rtol=0, atol=1e-9 if "f" in pipeline else 0)
    assert (shown(ADA(pipeline, p=1.0), x) - x).abs().amax((1, 2, 3)).min() > 0.01


# Of those that are drawn, the share whose draw is a change: half of the flips, three of four quarter turns,
# and shifts by up to 2 pixels that are not rounded to none in both directions.
DRAWN = {"flip": 1 / 2, "rotate90": 3 / 4, "integer_shift": 1 - (1 / 4) ** 2, "luma_flip": 1 / 2}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_changes_a_share_p_of_the_samples(name: str) -> None:
    x = images(1_500, 3, 16, 16, dtype=torch.float32)
    for p in (0.25, 1.0):
        expected = p * DRAWN.get(name, 1.0)
        if name == "filter":  # each of its four bands by itself
            shift = (shown(only(name, p), x) - x).flatten(1).abs().amax(1)
            assert near((shift > 1e-4).double().mean().item(), 1 - (1 - p) ** 4, len(x))
        else:
            assert near(changed(only(name, p), x), expected, len(x))
    half = ADA("b", p=0.5, multipliers={"flip": 0, "rotate90": 0, "integer_shift": 0, name: 0.5})
    if name not in DRAWN and name != "filter":
        assert near(changed(half, x), 0.25, len(x))


def test_they_happen_independently_of_each_other() -> None:
    x = images(4_000, 1, 16, 16, dtype=torch.float32)
    p, unchanged = 0.1, (1 - 0.1) ** 6  # scale, rotate, anisotropic, fractional shift, brightness, contrast
    for share in DRAWN.values():
        unchanged *= 1 - p * share
    assert near(changed(ADA("bgc", p=p), x), 1 - unchanged, len(x))


def test_of_a_set_only_what_the_multipliers_leave() -> None:
    x = images(200, 1, 8, 8)
    turned = torch.stack([torch.rot90(x, k, (2, 3)) for k in range(4)])
    flipped = turned.flip(4)
    whole = shown(ADA("b", p=1.0, multipliers={"integer_shift": 0}), x)
    of_turns, of_flips = ((one == whole).flatten(2).all(2).sum(1) for one in (turned, flipped))
    assert of_turns.sum() + of_flips.sum() == 200
    assert min(of_turns.min(), of_flips.min()) > 10, "each of the eight"
    without = shown(ADA("b", p=1.0, multipliers={"integer_shift": 0, "flip": 0, "rotate90": None}), x)
    assert (turned == without).flatten(2).all(2).any(0).all()
    # A set's own draws are those of the others, so that sets can be compared.
    same = shown(ADA("bgc", p=1.0, multipliers=dict.fromkeys(TRANSFORMS[3:], 0.0)), x)
    assert torch.equal(same, shown(ADA("b", p=1.0), x))


@pytest.mark.parametrize(("name", "share"), [("scale", 0.6), ("cutout", 0.6), ("hue", 0.3)])
def test_r3gans_set_has_colours_with_half_of_p(name: str, share: float) -> None:
    x = images(1_500, 3, 8, 8, dtype=torch.float32)
    others = {one: None if one == name else 0.0 for one in TRANSFORMS}
    assert near(changed(ADA("r3gan", p=0.6, multipliers=others), x), share, len(x))
    assert SETS["r3gan"].keys() == set(TRANSFORMS) - {"filter", "noise"}


def test_colours_are_of_the_papers_laws() -> None:
    x = images(3_000, 1, 4, 4)
    bright = shown(only("brightness"), x) - x
    assert bright.flatten(1).std(1).max() < 1e-12
    factor = (shown(only("contrast"), x) / x).flatten(1)
    assert factor.std(1).max() < 1e-12
    for values, deviation in ((bright[:, 0, 0, 0], 0.2), (factor[:, 0].log2(), 0.5)):
        assert values.mean().item() == pytest.approx(0, abs=4 * deviation / 3_000**0.5)
        assert values.std().item() == pytest.approx(deviation, rel=4 / 6_000**0.5)
    flips = (shown(only("luma_flip"), x) / x).flatten(1)
    assert set(flips.flatten().tolist()) == {-1.0, 1.0}
    x = images(3_000, 3, 2, 2)
    across, kept = (one - one.mean(1, keepdim=True) for one in (x, shown(only("saturation"), x)))
    saturation = (kept / across)[:, 0, 0, 0].log2()
    assert saturation.std().item() == pytest.approx(1, rel=4 / 6_000**0.5)
    hued = shown(only("hue"), x)
    torch.testing.assert_close(hued.mean(1), x.mean(1))
    torch.testing.assert_close(hued.square().sum(1), x.square().sum(1))
    hued = hued - hued.mean(1, keepdim=True)
    cosine = ((hued * across).sum(1) / across.square().sum(1))[:, 0, 0].clamp(-1, 1)
    quarters = (cosine.acos() / math.pi * 4).long().clamp(max=3).bincount(minlength=4)
    assert ((quarters - 750.0).square() / 750).sum() < 3 + 4 * 6**0.5  # any angle is as likely


def blobs(batch: int, along: float, across: float) -> tuple[Tensor, Tensor, Tensor]:
    """A Gaussian blob in the middle, and the coordinates x and y."""
    place = torch.arange(48.0) - 23.5
    y, x = torch.meshgrid(place, place, indexing="ij")
    blob = torch.exp(-((x / along).square() + (y / across).square()) / 2)
    return blob.expand(batch, 1, 48, 48), x, y


def moments(images: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Of images [B, 1, H, W] as masses: the mean of x and y, and the variances of x, of y and of both."""
    mass = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    mean = [(mass * one).sum((1, 2)) for one in (x, y)]
    near = [one - middle[:, None, None] for one, middle in zip((x, y), mean, strict=True)]
    seconds = [(mass * near[i] * near[j]).sum((1, 2)) for i, j in ((0, 0), (1, 1), (0, 1))]
    return *mean, *seconds


def test_geometry_is_of_the_papers_laws() -> None:
    count = 800
    blob, x, y = blobs(count, 2.5, 2.5)
    *_, wide, tall, _ = moments(shown(only("scale"), blob), x, y)
    torch.testing.assert_close(wide, tall, rtol=0.01, atol=0)
    scale = (wide.sqrt() / 2.5).log2()
    *_, wide, tall, _ = moments(shown(only("anisotropic"), blob), x, y)
    stretch = (wide.sqrt() / 2.5).log2()
    torch.testing.assert_close(stretch, -(tall.sqrt() / 2.5).log2(), rtol=0, atol=0.05)
    for values in (scale, stretch):
        assert values.mean().item() == pytest.approx(0, abs=4 * 0.2 / count**0.5 + 0.02)
        assert values.std().item() == pytest.approx(0.2, rel=4 / (2 * count) ** 0.5 + 0.03)
    right, down, *_ = moments(shown(only("fractional_shift"), blobs(count, 2.0, 2.0)[0]), x, y)
    inner = (right.abs() < 15) & (
        down.abs() < 15
    )  # the others are cut, or have their reflections beside them
    share = math.erf(15 / 6 / 2**0.5) ** 2
    assert near(inner.double().mean().item(), share, count)
    for values in (right, down):
        quarter = (values.abs() < 6 * 0.6745).double().mean().item()
        assert near(quarter, 0.5, count), "half of a normal law of deviation 6 is within 0.6745 of it"
    blob, x, y = blobs(count, 5.0, 2.5)
    *_, wide, tall, both = moments(shown(only("rotate"), blob), x, y)
    angle = torch.atan2(2 * both, wide - tall) / 2 / math.pi + 0.5  # of its long side, in half turns
    bins = (angle * 8).long().clamp(max=7).bincount(minlength=8)
    assert ((bins - count / 8).square() / (count / 8)).sum() < 7 + 4 * 14**0.5


def test_rotations_come_before_and_after_the_anisotropic_scale() -> None:
    # Each of the two with 1 - sqrt(1 - p), so that one of them at least comes with p.
    p, count = 0.5, 1_000
    augment = ADA(p=p, multipliers={name: float(name in ("rotate", "anisotropic")) for name in TRANSFORMS})
    long, x, y = blobs(count, 4.0, 2.0)
    assert near(changed(only("rotate", p), long), p, count)
    *_, both = moments(shown(augment, long), x, y)
    assert near((both.abs() > 1e-3).double().mean().item(), p, count)
    augment = ADA(
        p=1.0, multipliers={name: {"rotate": p, "anisotropic": 1.0}.get(name, 0.0) for name in TRANSFORMS}
    )
    *_, both = moments(shown(augment, blobs(count, 2.5, 2.5)[0]), x, y)
    assert near((both.abs() > 1e-3).double().mean().item(), 1 - p**0.5, count), "a turn before does not show"


def test_noise_and_cutout_are_of_the_papers_laws() -> None:
    x = images(1_000, 1, 16, 16)
    noise = shown(only("noise"), x) - x
    strength = noise.flatten(1).square().mean(1).sqrt()
    assert strength.square().mean().item() == pytest.approx(0.01, rel=4 * (2 / 1_000) ** 0.5)
    assert strength.mean().item() == pytest.approx(0.1 * (2 / math.pi) ** 0.5, rel=0.12)
    once = noise.flatten(1) / strength[:, None]
    assert once.pow(4).mean().item() == pytest.approx(3, rel=0.05), "normal within a sample"
    hole = shown(only("cutout"), torch.ones(1_000, 2, 16, 20))[:, 0] == 0
    rows, columns = hole.any(2), hole.any(1)
    assert torch.equal(hole, rows[:, :, None] & columns[:, None, :])
    for line, length in ((rows, 16), (columns, 20)):
        assert line.sum(1).max() == length / 2
        share = (line.sum(1) < length / 2).double().mean().item()
        assert near(share, (length / 2 - 1) / length, 1_000), "its middle is near the border"


def test_shares_of_a_batch_are_those_of_the_whole() -> None:
    x, augment = images(8, 3, 12, 12), ADA("bgcfnc", p=0.7)
    whole = shown(augment, x)
    for shares in ([Draws(3, 4, rank, 2) for rank in range(2)], [DRAWS.part(i, 2) for i in range(2)]):
        parts = [augment(x[4 * i :][:4], shares[i], "real") for i in range(2)]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-10)
    for other in (augment(x, DRAWS, "fake"), augment(x, Draws(3, 5), "real")):
        assert ((other - whole).flatten(1).abs().amax(1) > 0.01).all()


def test_gradients_of_every_order() -> None:
    x = images(2, 3, 6, 6).requires_grad_(True)
    augment = ADA("bgcfnc", p=0.8)
    assert torch.autograd.gradcheck(lambda x: shown(augment, x), (x,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: shown(augment, x).sin(), (x,), fast_mode=True)


def test_r1_through_the_pipeline() -> None:
    x, augment = images(3, 1, 8, 8), ADA("bgc", p=0.8)
    weight = images(1, 1, 8, 8).requires_grad_(True)
    matrix = torch.autograd.functional.jacobian(lambda one: shown(augment, one), x)
    own = torch.stack(
        [matrix[i, :, :, :, i].reshape(64, 64) for i in range(3)]
    )  # what a sample's pixels make
    w = weight.detach().flatten()

    def critic(x: Tensor) -> Tensor:
        return (weight * shown(augment, x)).flatten(1).sum(1)

    penalty = mean_squared_gradient(critic, x)
    torch.testing.assert_close(penalty, (w @ own).square().sum(1).mean())
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient.flatten(), 2 * (own @ own.mT @ w).mean(0))


def test_float32_under_autocast() -> None:
    x, augment = images(6, 3, 8, 8, dtype=torch.float32), ADA("bgcfnc", p=0.7)
    expected = shown(augment, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(shown(augment, x), expected)
        half = shown(augment, x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, shown(augment, x.bfloat16().float()).bfloat16())


def test_p_is_the_controllers() -> None:
    x, augment = images(400, 1, 8, 8), ADA("b", interval=1, adapt_examples=1_000)
    assert torch.equal(shown(augment, x), x)
    augment.observe(torch.tensor(1.0), 500)
    assert augment.report()["augment/p"].item() == 0.5
    assert torch.equal(shown(augment, x), shown(ADA("b", p=0.5, adapt=False), x))


def test_inference_mode_does_not_spoil_training() -> None:
    x = images(2, 1, 10, 11)
    with torch.inference_mode():
        expected = shown(ADA("bgcf", p=1.0), x).clone()
    leaf = x.clone().requires_grad_(True)
    result = shown(ADA("bgcf", p=1.0), leaf)
    result.sum().backward()
    assert torch.equal(result.detach(), expected)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"pipeline": "bcg"}, "pipeline"),
        ({"multipliers": {"turn": 1.0}}, "multipliers.turn"),
        ({"multipliers": {"flip": 1.5}}, "multipliers.flip"),
        ({"multipliers": {"flip": math.nan}}, "multipliers.flip"),
        ({"pipeline": "b", "multipliers": dict.fromkeys(TRANSFORMS[:3], 0.0)}, "pipeline"),
        ({"p": 2.0}, "p"),
    ],
)
def test_options_are_checked(options: dict[str, object], named: str) -> None:
    with pytest.raises(OptionError) as error:
        ADA(**options)
    assert error.value.option == named


def test_samples_are_checked() -> None:
    ADA().check(torch.zeros(1, 3, 4, 4))
    ADA("bg").check(torch.zeros(1, 2, 4, 4))
    for shape, words in (
        ((2,), "changes images"),
        ((1, 1, 4), "at least 2 pixels"),
        ((2, 4, 4), "pipeline=bg"),
    ):
        with pytest.raises(OptionError, match=words):
            ADA().check(torch.zeros(1, *shape))


@pytest.mark.parametrize("name", ["hue", "saturation"])
def test_a_change_of_colours_that_was_asked_for_is_not_passed_over(name: str) -> None:
    asked = ADA("b", multipliers={name: 0.5, "flip": 0.0})
    asked.check(torch.zeros(1, 3, 4, 4))
    with pytest.raises(
        OptionError, match=f"multipliers.{name}=0.5: changes nothing of images with one channel"
    ):
        asked.check(torch.zeros(1, 1, 4, 4))
    ADA("bgc", multipliers={name: 0.0}).check(torch.zeros(1, 1, 4, 4))  # the set's own are not of grey images

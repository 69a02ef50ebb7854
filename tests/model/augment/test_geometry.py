from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.model.augment.geometry import Blit, Warp

SYM6 = torch.tensor(
    [
        *(0.01540410932703, 0.00349071208422, -0.11799011114819, -0.04831174258563, 0.49105594192675),
        *(0.7876411410302, 0.33792942172762, -0.07263752278646, -0.02106029251230, 0.04472490177067),
        *(0.00176771186424, -0.00780070832503),
    ],
    dtype=torch.float64,
)


def images(batch: int, *shape: int) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def blit(batch: int, flip: bool = False, turns: int = 0, shift: tuple[int, int] = (0, 0)) -> Blit:
    return Blit(torch.full((batch,), flip), torch.full((batch,), turns), torch.tensor(shift).expand(batch, 2))


def warp(
    batch: int,
    *,
    scale: float = 1.0,
    turn: float = 0.0,
    stretch: float = 1.0,
    second_turn: float = 0.0,
    slide: tuple[float, float] = (0.0, 0.0),
) -> Warp:
    numbers = (
        torch.full((batch,), value, dtype=torch.float64) for value in (scale, turn, stretch, second_turn)
    )
    return Warp(*numbers, torch.tensor(slide, dtype=torch.float64).expand(batch, 2))


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 5, 9), (3, 2, 2)])
def test_nothing_is_the_identity_to_the_bit(shape: tuple[int, ...]) -> None:
    x = images(3, *shape).float()
    assert torch.equal(blit(3)(x), x)
    nothing = Warp(*(one.float() for one in warp(3)))
    assert torch.equal(nothing(x), x)


@pytest.mark.parametrize("size", [7, 8])
def test_flips_quarter_turns_and_shifts_copy_pixels(size: int) -> None:
    x = images(2, 3, size, size)
    assert torch.equal(blit(2, flip=True)(x), x.flip(3))
    for turns in range(4):
        assert torch.equal(blit(2, turns=turns)(x), torch.rot90(x, -turns, (2, 3)))
    right, down = 3, -2
    padded = F.pad(x, (6, 6, 6, 6), mode="reflect")
    shifted = padded[:, :, 6 - down : 6 - down + size, 6 - right : 6 - right + size]
    assert torch.equal(blit(2, shift=(right, down))(x), shifted)
    assert torch.equal(shifted[:, :, :-2, 3:], x.roll((right, down), (3, 2))[:, :, :-2, 3:])
    in_order = blit(2, shift=(right, down))(torch.rot90(x.flip(3), -1, (2, 3)))
    assert torch.equal(blit(2, flip=True, turns=1, shift=(right, down))(x), in_order)


def test_each_sample_has_its_own_change() -> None:
    x = images(4, 1, 6, 6)
    several = Blit(
        torch.tensor([True, False, False, True]),
        torch.tensor([0, 3, 0, 2]),
        torch.tensor([[0, 0], [0, 0], [1, 2], [-1, 0]]),
    )
    alone = [blit(1, bool(several.flip[i]), int(several.quarter_turns[i])) for i in range(4)]
    expected = [one._replace(shift=several.shift[i : i + 1])(x[i : i + 1]) for i, one in enumerate(alone)]
    assert torch.equal(several(x), torch.cat(expected))


def official(x: Tensor, inverse: Tensor) -> Tensor:
    """One image [1, C, H, W] by the steps of the paper's appendix B; ``inverse`` [3, 3], result to source."""
    _, channels, height, width = x.shape
    x = F.pad(x, (width - 1, width - 1, height - 1, height - 1), mode="reflect")
    tall, wide = 2 * x.shape[2], 2 * x.shape[3]
    taps = SYM6 / SYM6.sum()
    large = torch.zeros(channels, 1, tall + 11, wide + 11, dtype=x.dtype)
    large[:, 0, 6 : tall + 6 : 2, 6 : wide + 6 : 2] = x[0]
    kernel = 2 * taps.flip(0)
    large = F.conv2d(F.conv2d(large, kernel.view(1, 1, 1, 12)), kernel.view(1, 1, 12, 1)).transpose(0, 1)
    half = torch.eye(3, dtype=x.dtype)
    half[:2, 2] = 0.5  # the enlarged image's pixel 2 i + 1/2, not 2 i, is in the middle of the two of pixel i
    inverse = torch.linalg.inv(half) @ scaled(2, 2) @ inverse @ scaled(0.5, 0.5) @ half
    shape = (1, channels, 2 * height + 12, 2 * width + 12)
    to_unit, from_unit = scaled(2 / wide, 2 / tall), scaled(shape[3] / 2, shape[2] / 2)
    grid = F.affine_grid((to_unit @ inverse @ from_unit)[None, :2], list(shape), align_corners=False)
    read = F.grid_sample(large, grid, align_corners=False)[0][:, None, 1:-1, 1:-1]
    small = F.conv2d(F.conv2d(read, taps.view(1, 1, 1, 12)), taps.view(1, 1, 12, 1))
    return small[:, :, ::2, ::2].transpose(0, 1)


def scaled(x: float, y: float) -> Tensor:
    return torch.diag(torch.tensor([x, y, 1.0], dtype=torch.float64))


def turned(radians: float) -> Tensor:
    cos, sin = math.cos(radians), math.sin(radians)
    return torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


@pytest.mark.parametrize("seed", range(3))
def test_a_warp_is_that_of_the_paper(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    scale, turn, stretch, second, right, down = torch.randn(6, generator=draw, dtype=torch.float64).tolist()
    scale, stretch = 1.3 * 2 ** (0.1 * scale), 2 ** (0.1 * stretch)
    slide = (0.7 * right, 0.7 * down)
    x = images(1, 2, 14, 11)
    forward = turned(turn) @ scaled(scale, scale)
    forward = turned(second) @ scaled(stretch, 1 / stretch) @ forward
    forward[:2, 2] += torch.tensor(slide, dtype=torch.float64)
    shown = warp(1, scale=scale, turn=turn, stretch=stretch, second_turn=second, slide=slide)(x)
    torch.testing.assert_close(shown, official(x, torch.linalg.inv(forward)), rtol=0, atol=1e-8)
    assert (shown - x).abs().max() > 1


def test_a_slide_by_whole_pixels_is_a_shift() -> None:
    x = images(2, 2, 9, 8)
    torch.testing.assert_close(warp(2, slide=(2.0, -3.0))(x), blit(2, shift=(2, -3))(x), rtol=0, atol=1e-9)
    around = warp(2, slide=(14.0, 48.0))(x)  # 2 (W - 1), and 3 times 2 (H - 1): reflections of those
    torch.testing.assert_close(around, x, rtol=0, atol=1e-9)


def test_turns_and_scales_of_a_smooth_image() -> None:
    place = torch.arange(32, dtype=torch.float64) - 15.5
    y, x = torch.meshgrid(place, place, indexing="ij")

    def blob(along: float, across: float, at: tuple[float, float]) -> Tensor:
        return torch.exp(-(((x - at[0]) / along) ** 2 + ((y - at[1]) / across) ** 2) / 2)[None, None]

    shape = blob(3.0, 2.0, (4.0, 2.0))
    for change, expected in (
        (warp(1, turn=math.pi / 2), blob(2.0, 3.0, (-2.0, 4.0))),  # clockwise, y down
        (warp(1, second_turn=math.pi / 2), blob(2.0, 3.0, (-2.0, 4.0))),
        (warp(1, scale=1.5), blob(4.5, 3.0, (6.0, 3.0))),
        (warp(1, stretch=1.25), blob(3.75, 1.6, (5.0, 1.6))),
        (warp(1, slide=(1.5, -0.25)), blob(3.0, 2.0, (5.5, 1.75))),
        (warp(1, stretch=1.25, second_turn=math.pi / 2), blob(1.6, 3.75, (-1.6, 5.0))),
    ):
        torch.testing.assert_close(change(shape), expected, rtol=0, atol=0.03)


def test_a_constant_stays() -> None:
    x = torch.full((2, 1, 16, 16), 0.7)
    change = Warp(*(one.float() for one in warp(2, scale=0.4, turn=1.0, stretch=1.3, slide=(9.0, -4.0))))
    torch.testing.assert_close(change(x), x, rtol=0, atol=1e-5)


def test_gradients_of_every_order() -> None:
    x = images(2, 1, 4, 5).requires_grad_(True)
    change = warp(2, scale=0.8, turn=0.5, stretch=1.2, slide=(0.3, 1.0))
    assert torch.autograd.gradcheck(lambda x: change(x).sin(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: change(x).sin(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: blit(2, True, 1, (1, -2))(x).sin(), (x,))

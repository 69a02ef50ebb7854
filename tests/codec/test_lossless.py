"""Images to the bit: the residual's round trip, what it costs, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.codec.account import account
from ganvas.codec.codes import decode_codes, encode_codes
from ganvas.codec.container import parse
from ganvas.codec.exact import LOG_STEPS, log_steps, power_table, products, solve
from ganvas.codec.lossless import decode_residual, encode_residual, to_uint8
from ganvas.functional.code_layout import CodeLayout

pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")

LAYOUT = CodeLayout(((16,),), ((2, 2),))
MODEL = bytes(16)


def smooth(images: int, channels: int, side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ramps with noise, uint8, and what they are without it."""
    draws = np.random.default_rng(seed)
    slopes = draws.uniform(-6, 6, (images, channels, 2, 1, 1))
    rows, columns = np.mgrid[:side, :side]
    mean = 128 + slopes[:, :, 0] * (rows - side / 2) + slopes[:, :, 1] * (columns - side / 2)
    noisy = mean + draws.normal(0, 3, mean.shape)
    return tuple(np.clip(np.rint(part), 0, 255).astype(np.uint8) for part in (noisy, mean))


@pytest.mark.parametrize(("images", "channels", "side"), [(1, 1, 1), (5, 3, 7), (3, 2, 4), (40, 1, 5)])
def test_any_images_come_back(images: int, channels: int, side: int) -> None:
    draws = np.random.default_rng(images)
    shape = (images, channels, side, side + 2)
    noise, predicted = (draws.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    sizes = [(side, side + 2)] * images
    assert (decode_residual(encode_residual(noise, predicted, sizes), predicted, sizes) == noise).all()
    ends = np.where(draws.random(shape) < 0.5, 0, 255).astype(np.uint8)
    assert (decode_residual(encode_residual(ends, predicted, sizes), predicted, sizes) == ends).all()


def test_what_lies_beyond_an_images_size_is_not_coded() -> None:
    images, predicted = smooth(6, 1, 12)
    sizes = [(12, 12), (3, 5), (1, 1), (12, 4), (6, 12), (2, 12)]
    for image, (height, width) in zip(images, sizes, strict=True):
        image[:, height:], image[:, :, width:] = 0, 0
    stream = encode_residual(images, predicted, sizes)
    assert (decode_residual(stream, predicted, sizes) == images).all()
    assert len(stream) < 0.65 * len(encode_residual(images, predicted, [(12, 12)] * 6))


def test_noise_costs_about_its_entropy() -> None:
    images, predicted = smooth(200, 1, 12)
    bits = 8 * len(encode_residual(images, predicted, [(12, 12)] * 200)) / images.size
    entropy = 0.5 * np.log2(2 * np.pi * np.e * 9)  # of a normal with deviation 3
    assert entropy < bits < 1.15 * entropy


def test_neighbours_make_up_for_a_bad_prediction() -> None:
    images, _ = smooth(200, 1, 12)
    bits = 8 * len(encode_residual(images, np.full_like(images, 128), [(12, 12)] * 200)) / images.size
    assert bits < 5.2  # a ramp from its neighbours; alone a level takes 7


def test_a_channel_learns_from_the_one_before() -> None:
    images, predicted = smooth(150, 1, 10)
    both = np.concatenate([images, images], axis=1)
    sizes = [(10, 10)] * 150
    one = len(encode_residual(images, predicted, sizes))
    assert len(encode_residual(both, np.concatenate([predicted] * 2, axis=1), sizes)) < 1.7 * one


def reconstruct(codes: Tensor) -> Tensor:
    return (codes.view(-1, 1, 2, 2).double() / 8 - 1).repeat_interleave(3, 2).repeat_interleave(3, 3)


def test_a_file_with_a_residual_gives_the_originals() -> None:
    codes = torch.randint(0, 16, (30, 4), generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(smooth(30, 1, 6)[0])
    sizes = [(6, 6), (5, 4)] * 15
    given = {"layout": LAYOUT, "model": MODEL}
    file = parse(encode_codes(codes, sizes=sizes, images=images, reconstruct=reconstruct, **given).to_bytes())
    found = decode_codes(file, reconstruct=reconstruct, **given)
    assert torch.equal(found.codes, codes)
    assert found.images is not None
    for image, original, (height, width) in zip(found.images, images, sizes, strict=True):
        assert torch.equal(image[:, :height, :width], original[:, :height, :width])
        assert not image[:, height:].any()
        assert not image[:, :, width:].any()
    assert decode_codes(file, **given).images is None
    assert account(file).dimensions == 15 * 36 + 15 * 20
    assert account(file).residual == 8 * len(file.residuals[0].payload)

    with pytest.raises(ValueError, match=r"CRC of residual 0|other probabilities"):
        decode_codes(file, reconstruct=lambda codes: reconstruct(codes) + 0.1, **given)
    with pytest.raises(ValueError, match="images of 1 channels"):
        decode_codes(file, reconstruct=lambda codes: reconstruct(codes).repeat(1, 3, 1, 1), **given)
    with pytest.raises(ValueError, match="holds images of 6 x 6, the model"):
        decode_codes(file, reconstruct=lambda codes: reconstruct(codes)[:, :, :4], **given)
    changed = replace(file, residuals=[replace(file.residuals[0], crc=1)])
    with pytest.raises(ValueError, match="CRC of residual 0"):
        decode_codes(changed, reconstruct=reconstruct, **given)


def test_levels_do_not_hang_on_float_noise() -> None:
    assert to_uint8(torch.tensor([-1.0, -2.0, 1.0, 3.0])).tolist() == [0, 0, 255, 255]
    exact = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    assert to_uint8(exact).tolist() == list(range(256))
    constant = torch.zeros(100, dtype=torch.float64)  # between levels 127 and 128
    noise = torch.linspace(-1e-9, 1e-9, 100, dtype=torch.float64)
    assert set(to_uint8(constant + noise).tolist()) == {128}
    with pytest.raises(ValueError, match="not finite"):
        to_uint8(torch.tensor([torch.nan]))


def test_least_squares_in_whole_numbers_is_least_squares() -> None:
    draws = np.random.default_rng(0)
    features = draws.integers(-255, 256, (500, 20))
    target = features @ draws.integers(-3, 4, 20) + draws.integers(-9, 10, 500)
    squares, mixed = products(features, features), products(features, target[:, None])[:, 0]
    assert (squares == features.T @ features).all()
    truth = np.linalg.solve(squares.astype(float), mixed.astype(float)) * 4096
    found = solve(squares, mixed, 4096)
    assert (np.abs(found - np.floor(truth)) <= 1).all()
    assert (np.abs(found + 0.5 - truth) < 0.5 + 1e-6).all()


def test_logarithms_and_powers_are_near_the_real_ones() -> None:
    values = np.unique(np.geomspace(1, 2**51, 3000).astype(np.int64))
    assert (np.abs(log_steps(values) - LOG_STEPS * np.log2(values.astype(float))) < 0.6).all()
    table = power_table(24, 24)
    assert (np.abs(table - 2.0 ** (24 - np.arange(len(table)) / LOG_STEPS)) <= 0.51).all()

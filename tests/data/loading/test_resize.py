from __future__ import annotations

import pytest
import torch

from ganvas.data.loading.resize import fit_images
from ganvas.errors import OptionError

IMAGES = torch.randint(1, 256, (3, 2, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_same_size_is_untouched():
    assert fit_images(IMAGES, image_size=28, mode="auto") is IMAGES


@pytest.mark.parametrize(("size", "left"), [(32, 2), (35, 3), (29, 0)])
def test_auto_pads_with_black_up_to_a_quarter(size, left):
    out = fit_images(IMAGES, image_size=size, mode="auto")
    assert out.shape == (3, 2, size, size)
    assert out.dtype == torch.uint8
    inner = out[:, :, left : left + 28, left : left + 28]
    assert torch.equal(inner, IMAGES)
    assert out.long().sum() == IMAGES.long().sum()  # all else is 0


@pytest.mark.parametrize("size", [36, 64, 14, 27])
def test_auto_resizes_beyond(size):
    out = fit_images(IMAGES, image_size=size, mode="auto")
    assert torch.equal(out, fit_images(IMAGES, image_size=size, mode="resize"))
    assert (out > 0).all()
    assert abs(out.float().mean() - IMAGES.float().mean()) < 3


def test_resize_is_antialiased():
    stripes = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    stripes[..., ::4] = 200  # plain bilinear sampling at a quarter's size sees none of them
    out = fit_images(stripes, image_size=7, mode="resize")
    assert ((out > 35) & (out < 70)).all()


def test_resize_keeps_orientation():
    x = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    x[..., :4, :] = 255
    assert fit_images(x, image_size=2, mode="resize")[0, 0, :, 0].tolist()[0] > 200
    assert fit_images(x, image_size=2, mode="resize")[0, 0, :, 0].tolist()[1] < 55


def test_pad_may_grow_far_but_not_shrink():
    out = fit_images(IMAGES, image_size=64, mode="pad")
    assert torch.equal(out[:, :, 18:46, 18:46], IMAGES)
    with pytest.raises(OptionError, match="resize_mode=resize"):
        fit_images(IMAGES, image_size=16, mode="pad")

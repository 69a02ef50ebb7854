from __future__ import annotations

import pytest
import torch

from ganvas.data.fashion_mnist import FashionMNIST

pytestmark = pytest.mark.skipif(
    not (FashionMNIST.system_folder / "train-images-idx3-ubyte.gz").is_file(),
    reason="needs Debian's package dataset-fashion-mnist",
)


@pytest.fixture(scope="module")
def module() -> FashionMNIST:
    return FashionMNIST(image_size=32)


def test_splits(module):
    assert [module.num_samples(name) for name in ("train", "val", "test")] == [55_000, 5_000, 10_000]
    assert module.sample_shape == (1, 32, 32)
    counts = sum(module.split(name).label.bincount() for name in ("train", "val"))
    assert counts.tolist() == [6000] * 10
    assert module.split("test").label.bincount().tolist() == [1000] * 10
    assert module.split("val").label.bincount().min() > 400


def test_padded_with_black_and_of_the_known_mean(module):
    x = torch.cat([module.split(name).x for name in ("train", "val")])
    assert x[:, :, :2].max() == x[:, :, -2:].max() == x[..., :2].max() == x[..., -2:].max() == 0
    # the published mean of the 60,000 training images is 0.2860 in [0, 1]
    assert x[:, :, 2:-2, 2:-2].double().mean() / 255 == pytest.approx(0.2860, abs=5e-5)

from __future__ import annotations

import math

import pytest
import torch

from ganvas.data.toy import Toy
from ganvas.errors import OptionError


@pytest.mark.parametrize(("shape", "modes", "std"), [("gaussians25", 25, 0.01), ("ring8", 8, 0.02)])
def test_each_mode_is_a_gaussian_at_its_centre(shape, modes, std):
    module = Toy(shape=shape, std=0.05, num_train=1000 * modes)
    train = module.split("train")
    assert train.x.shape == (1000 * modes, 2)
    assert train.x.dtype == torch.float32
    assert train.x.abs().max() <= 1
    assert module.sample_shape == (2,)
    assert module.num_classes == modes
    assert module.mode_std == pytest.approx(std)
    for mode in range(modes):
        points = train.x[train.label == mode]
        assert 820 < len(points) < 1180  # 1000 each, beyond 5 standard deviations
        torch.testing.assert_close(points.mean(0), module.modes[mode], atol=0.2 * std, rtol=0)
        torch.testing.assert_close(points.std(0), torch.full((2,), std), atol=0.15 * std, rtol=0)


def test_centres():
    grid = {tuple(round(v, 6) for v in mode) for mode in Toy().modes.tolist()}
    assert grid == {(x / 5, y / 5) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    ring = Toy(shape="ring8").modes
    torch.testing.assert_close(ring.norm(dim=1), torch.full((8,), 0.8))
    torch.testing.assert_close(ring[1], torch.tensor([0.8 * math.sqrt(0.5)] * 2))


def test_seed_and_split_make_the_points():
    assert torch.equal(Toy(seed=1).split("val").x, Toy(seed=1).split("val").x)
    assert not torch.equal(Toy(seed=1).split("train").x, Toy(seed=2).split("train").x)
    for name in ("val", "test"):  # metrics of several seeds rest on the same real points
        assert torch.equal(Toy(seed=1).split(name).x, Toy(seed=2).split(name).x)
    assert not torch.equal(Toy(seed=1).split("val").x, Toy(seed=1).split("test").x)


@pytest.mark.parametrize(
    ("option", "value"), [("shape", "ring"), ("std", 0.0), ("std", 0.3), ("num_train", 0), ("num_val", -1)]
)
def test_arguments_out_of_range(option, value):
    with pytest.raises(OptionError) as caught:
        Toy(**{option: value})
    assert caught.value.option == option


def test_declared_classes_are_modes():
    Toy(num_classes=25).prepare()
    with pytest.raises(OptionError, match="num_classes=8"):
        Toy(shape="ring8", num_classes=25).prepare()

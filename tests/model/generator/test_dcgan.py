from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.generator.dcgan import DCGANGenerator


@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
def test_shapes_and_range(image_size: int) -> None:
    torch.manual_seed(0)
    images = DCGANGenerator(5, channels=3, image_size=image_size, base_channels=4)(10 * torch.randn(2, 5))
    assert images.shape == (2, 3, image_size, image_size)
    assert images.abs().max().item() <= 1


def test_the_papers_widths_at_64_pixels() -> None:
    generator = DCGANGenerator(100, channels=3, image_size=64)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in convolutions] == [100, 512, 256, 128, 64]
    assert [m.out_channels for m in convolutions] == [512, 256, 128, 64, 3]
    weights = 16 * sum(m.in_channels * m.out_channels for m in convolutions)
    norms = 2 * (512 + 256 + 128 + 64)
    assert sum(p.numel() for p in generator.parameters()) == weights + norms + 3


def test_initialization_follows_the_paper_and_the_seed() -> None:
    def build(seed: int) -> DCGANGenerator:
        torch.manual_seed(seed)
        return DCGANGenerator(100, channels=3, image_size=32)

    first, again, other = build(1), build(1), build(2)
    for module in first.modules():
        if isinstance(module, nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert module.weight.mean().item() == pytest.approx(0, abs=0.002)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.3)
            assert not module.bias.any()
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


@pytest.mark.parametrize("image_size", [28, 8, 256, None])
def test_other_sizes_are_refused_by_name(image_size: int | None) -> None:
    with pytest.raises(OptionError, match="16, 32, 64, 128") as error:
        DCGANGenerator(5, channels=1, image_size=image_size)
    assert error.value.option == "image_size"


def test_data_that_are_no_images_are_refused() -> None:
    with pytest.raises(OptionError, match="makes images") as error:
        DCGANGenerator(5, channels=None, image_size=None)
    assert error.value.option == "channels"


@pytest.mark.parametrize("option", ["latent_dim", "channels", "base_channels"])
def test_sizes_are_checked(option: str) -> None:
    options = {"latent_dim": 4, "channels": 1, "image_size": 16, "base_channels": 4} | {option: 0}
    with pytest.raises(OptionError) as error:
        DCGANGenerator(**options)
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.discriminator.dcgan import DCGANDiscriminator


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
def test_shapes(image_size: int, norm: str) -> None:
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(3, image_size, base_channels=4, norm=norm)
    assert discriminator.feature_dim == 4 * image_size // 8 * 16
    features = discriminator(torch.randn(5, 3, image_size, image_size))
    assert features.shape == (5, discriminator.feature_dim)
    assert discriminator.eval()(torch.randn(1, 3, image_size, image_size)).shape[0] == 1
    assert discriminator.spectral == (norm == "spectral")


def test_the_papers_widths_and_norms_at_64_pixels() -> None:
    layers = list(DCGANDiscriminator(3, 64).layers)
    convolutions = [m for m in layers if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 256, 512]
    assert [m.num_features for m in layers if isinstance(m, nn.BatchNorm2d)] == [128, 256, 512]
    assert all(m.negative_slope == 0.2 for m in layers if isinstance(m, nn.LeakyReLU))
    assert [m.bias is None for m in convolutions] == [False, True, True, True]


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_without_batch_normalization_features_read_one_sample(norm: str) -> None:
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(1, 16, base_channels=4, norm=norm).eval()
    x = torch.randn(4, 1, 16, 16)
    torch.testing.assert_close(discriminator(x)[1:3], discriminator(x[1:3]))


def test_spectral_norm_bounds_each_layer_and_rests_in_eval_mode() -> None:
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(1, 16, base_channels=8, norm="spectral")
    x = torch.randn(4, 1, 16, 16)
    for _ in range(50):  # each access in train mode is one power iteration
        discriminator(x)
    discriminator.eval()
    assert torch.equal(discriminator(x), discriminator(x))
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), ord=2)
            assert largest.item() == pytest.approx(1, abs=0.01)
    assert any(name.endswith(".u") for name in discriminator.state_dict())


def test_the_same_seed_gives_the_same_weights() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(DCGANDiscriminator(1, 16, base_channels=4, norm="spectral").state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 28, "16, 32, 64, 128"),
        ("base_channels", 0, "at least 1"),
        ("norm", "layer", "batch, spectral, none"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"channels": 1, "image_size": 16, "base_channels": 4, "norm": "batch"} | {option: value}
    with pytest.raises(OptionError, match=reason) as error:
        DCGANDiscriminator(**options)
    assert error.value.option == option

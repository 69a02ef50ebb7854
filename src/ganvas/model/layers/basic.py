"""Layers, checks and initializations that several networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganvas.errors import is_whole, require

IMAGE_SIZES = (16, 32, 64, 128)  # pixels; what the DCGAN's doublings from 4x4 reach


def require_positive(option: str, value: int) -> None:
    """Raises OptionError unless ``value`` is a whole number of at least 1."""
    require(is_whole(value) and value >= 1, option, value, "must be at least 1; set a positive whole number")


def require_shape(sample_shape: Sequence[int]) -> None:
    """Raises OptionError unless every size of a sample is at least 1."""
    require(
        len(sample_shape) > 0 and all(is_whole(size) and size >= 1 for size in sample_shape),
        "sample_shape",
        list(sample_shape),
        "must name at least one size, each at least 1; e.g. [1, 28, 28]",
    )


def require_channels(channels: int | None) -> int:
    """The number of channels of images; raises OptionError where the data are no images."""
    if channels is None:
        require(False, "channels", None, "this network makes images; choose data of images, or an mlp")
    assert channels is not None
    require_positive("channels", channels)
    return channels


def require_image_shape(sample_shape: Sequence[int]) -> tuple[int, int, int]:
    """Channels, height and width of images; raises OptionError where the data are no images."""
    require_shape(sample_shape)
    rule = "this network takes images [channels, height, width]; choose data of images, or an mlp"
    require(len(sample_shape) == 3, "sample_shape", list(sample_shape), rule)
    channels, height, width = sample_shape
    return channels, height, width


def require_power_of_two_size(image_size: int | None) -> int:
    """The image size in pixels; raises OptionError unless doublings from 4x4 reach it."""
    valid = image_size in IMAGE_SIZES
    names = ", ".join(map(str, IMAGE_SIZES))
    require(valid, "image_size", image_size, f"must be one of {names}; choose data of such a size, or an mlp")
    assert image_size is not None
    return image_size


def require_classes(num_classes: int | None) -> None:
    """Raises OptionError unless there are at least 2 classes, or None."""
    rule = "must be at least 2 classes; null where the model is not conditional"
    fits = num_classes is None or (is_whole(num_classes) and num_classes >= 2)
    require(fits, "num_classes", num_classes, rule)


def require_labels(label: Tensor | None) -> Tensor:
    """The classes; raises ValueError where a network with classes is called without."""
    if label is None:
        raise ValueError("label=None where the network has classes: it takes int64 [B]")
    return label


def with_class(z: Tensor, label: Tensor | None, num_classes: int | None) -> Tensor:
    """Latents [B, D] with the one-hot vector of their class int64 [B] behind them, [B, D + K].

    They stay as they are where K is None.
    """
    if num_classes is None:
        return z
    return torch.cat([z, one_hot(require_labels(label), num_classes).to(z.dtype)], dim=1)


def require_input(x: Tensor, *sizes: int | None) -> None:
    """Raises ValueError unless x is [B, *sizes], where None is any size.

    A network that flattens takes every shape of as many values, and a convolution that ends in one logit
    makes several of a larger image.
    """
    if tuple(x.shape[1:]) == sizes:  # at once, for it is asked at every pass
        return
    there = zip(x.shape[1:], sizes, strict=False)
    if x.ndim != len(sizes) + 1 or any(wanted not in (None, size) for size, wanted in there):
        names = ", ".join(["B", *("*" if size is None else str(size) for size in sizes)])
        raise ValueError(f"an input of shape {list(x.shape)} where the network takes [{names}]")


def hidden(inputs: int, width: int, number: int) -> list[nn.Module]:
    """So many fully connected layers of so many units, each with ReLU; [B, inputs] to [B, width]."""
    layers: list[nn.Module] = []
    for _ in range(number):
        layers += [nn.Linear(inputs, width), nn.ReLU(inplace=True)]
        inputs = width
    return layers


@torch.no_grad()
def initialize_dcgan(network: nn.Module) -> None:
    """Convolutions from N(0, 0.02), BatchNorm weights from N(1, 0.02), biases zero (Radford 2015, section 4).

    It draws from torch's global generator, so that seeding it before the construction fixes every weight.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ResidualBlock(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))), as in the VQ-VAE (van den Oord 2017, section 4.1)."""

    def __init__(self, channels: int, residual_channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReLU(),  # not in place: the skip connection still reads x
            nn.Conv2d(channels, residual_channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(residual_channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] to the same shape."""
        return x + self.branch(x)


def residual_stack(channels: int, residual_channels: int, blocks: int) -> nn.Sequential:
    """``blocks`` residual blocks and a last ReLU, [B, channels, H, W] to the same shape."""
    return nn.Sequential(
        *(ResidualBlock(channels, residual_channels) for _ in range(blocks)), nn.ReLU(inplace=True)
    )

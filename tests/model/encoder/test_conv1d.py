from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from ganvas.errors import OptionError
from ganvas.model.encoder.conv1d import Conv1dEncoder


def make(**options: object) -> Conv1dEncoder:
    torch.manual_seed(0)
    given = {"sample_shape": [1, 60], "embedding_dim": 5, "base_channels": 4, "strides": [2, 3]}
    return Conv1dEncoder(**(given | options))


@pytest.mark.parametrize(("length", "frames"), [(60, 10), (61, 11), (6, 1), (1, 1)])
@pytest.mark.parametrize("channels", [1, 2])
def test_shapes(length: int, frames: int, channels: int) -> None:
    latents = make(sample_shape=[channels, 60])(torch.randn(3, channels, length))
    assert latents.shape == (3, 5, frames)


def test_a_sound_between_lengths_has_silence_behind_it() -> None:
    encoder, x = make(), torch.randn(2, 1, 45)
    assert torch.equal(encoder(x), encoder(pad(x, (0, 3))))


def test_latents_of_a_sound_begin_with_those_of_its_beginning() -> None:
    encoder, x = make().double(), torch.randn(1, 1, 120, dtype=torch.float64)
    whole, begun = encoder(x), encoder(x[:, :, :66])
    torch.testing.assert_close(whole[:, :, :6], begun[:, :, :6])  # five more frames are what the others see


def test_encodecs_layers() -> None:
    layers = [
        (one.in_channels, one.out_channels, one.kernel_size[0], one.stride[0], one.dilation[0])
        for one in Conv1dEncoder([1, 8000], 128, residual_units=2).modules()
        if isinstance(one, nn.Conv1d)
    ]

    def stage(width: int, stride: int) -> list[tuple[int, ...]]:
        units = [(width, width // 2, 3, 1, 1), (width // 2, width, 1, 1, 1)]
        units += [(width, width // 2, 3, 1, 3), (width // 2, width, 1, 1, 1)]
        return [*units, (width, 2 * width, 2 * stride, stride, 1)]

    stages = stage(32, 2) + stage(64, 4) + stage(128, 5) + stage(256, 8)
    assert layers == [(1, 32, 7, 1, 1), *stages, (512, 128, 7, 1, 1)]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [1, 8, 8]),
        ("embedding_dim", 0),
        ("base_channels", 0),
        ("strides", [4, 1]),
        ("residual_units", -1),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes \[B, 1, \*\]"):
        make()(torch.randn(2, 2, 60))

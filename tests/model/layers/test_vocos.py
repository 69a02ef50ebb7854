from __future__ import annotations

import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.layers.vocos import ConvNeXtBlock, Frames


@pytest.mark.parametrize(("window", "hop"), [(16, 4), (24, 6), (16, 8), (12, 2)])
def test_frames_and_back_is_the_sound(window: int, hop: int) -> None:
    torch.manual_seed(0)
    frames, x = Frames(window, hop).double(), torch.randn(2, 3, 5 * hop, dtype=torch.float64)
    real, imaginary = frames(x)
    assert real.shape == imaginary.shape == (2, 3, window // 2 + 1, 5)
    torch.testing.assert_close(frames.inverse(real, imaginary), x, rtol=0, atol=1e-5)
    other = frames.inverse(real, -imaginary)  # each frame played backwards
    assert not torch.allclose(other, x, atol=0.1)


def test_a_frame_is_the_transform_around_its_middle() -> None:
    torch.manual_seed(0)
    x, window, hop = torch.randn(1, 2, 40, dtype=torch.float64), 16, 4
    real, imaginary = Frames(window, hop).double()(x)
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)]
    for channel, frame, frequency in ((0, 0, 3), (1, 4, 8), (1, 9, 0)):
        begin = frame * hop + hop // 2 - window // 2
        total = 0j
        for n, w in enumerate(hann):
            value = float(x[0, channel, begin + n]) if 0 <= begin + n < 40 else 0.0
            angle = -2 * math.pi * frequency * n / window
            total += w * value * complex(math.cos(angle), math.sin(angle)) * 2 / sum(hann)
        assert real[0, channel, frequency, frame].item() == pytest.approx(total.real, abs=1e-6)
        assert imaginary[0, channel, frequency, frame].item() == pytest.approx(total.imag, abs=1e-6)


def test_the_matrices_are_in_no_checkpoint() -> None:
    assert not Frames(16, 4).state_dict()


def test_a_block_adds_to_what_it_gets() -> None:
    torch.manual_seed(0)
    block, x = ConvNeXtBlock(4), torch.randn(2, 4, 9)
    with torch.no_grad():
        block.scale.zero_()
    assert torch.equal(block(x), x)
    assert block.depthwise.groups == 4
    assert (block.widen.out_features, block.narrow.out_features) == (12, 4)


@pytest.mark.parametrize(
    ("option", "window", "hop"),
    [("window", 15, 4), ("window", 2, 2), ("hop", 16, 10), ("hop", 16, 3), ("hop", 16, 0)],
)
def test_options_are_checked(option: str, window: int, hop: int) -> None:
    with pytest.raises(OptionError) as error:
        Frames(window, hop)
    assert error.value.option == option

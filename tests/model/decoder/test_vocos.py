from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.decoder.vocos import VocosDecoder


def make(**options: object) -> VocosDecoder:
    torch.manual_seed(0)
    given = {
        **{"sample_shape": [1, 57], "embedding_dim": 5, "width": 6, "window": 16, "hop": 4, "stride": 3},
        **{"blocks": 1, "deep_blocks": 1},
    }
    return VocosDecoder(**(given | options))


@pytest.mark.parametrize("channels", [1, 2])
def test_shapes(channels: int) -> None:
    decoder = make(sample_shape=[channels, 57])
    assert decoder(torch.randn(3, 5, 5)).shape == (3, channels, 57)  # cut to the samples' length
    assert decoder(torch.randn(3, 5, 6)).shape == (3, channels, 72)
    assert decoder(torch.randn(3, 5, 1)).shape == (3, channels, 12)


def test_what_is_cut_off_stands_behind() -> None:
    decoder, z = make(), torch.randn(2, 5, 5)
    assert torch.equal(decoder(z), make(sample_shape=[1, 60])(z)[:, :, :57])


def test_it_plays_the_magnitudes_and_phases_of_its_last_layer() -> None:
    decoder, z = make(sample_shape=[1, 60]), torch.randn(2, 5, 5)
    last, bins = decoder.layers[-1], decoder.frames.bins
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.cat([torch.full((bins,), -40.0), torch.zeros(bins)]))
        last.bias[3] = 4.0 + torch.tensor(0.2).log()  # magnitude 0.2 at the third frequency
        last.bias[bins + 3] = 0.7
    middle = decoder(z)[0, 0, 24:36]  # far from the ends
    t = torch.arange(24.0, 36.0)
    frames = [0.2 * torch.cos(2 * torch.pi * 3 * (t - 4 * i + 6) / 16 + 0.7) for i in range(15)]
    hann = [0.5 - 0.5 * torch.cos(2 * torch.pi * (t - 4 * i + 6) / 16) for i in range(15)]
    inside = [((t - 4 * i + 6) >= 0) & ((t - 4 * i + 6) < 16) for i in range(15)]
    total = sum(w * f * m for w, f, m in zip(hann, frames, inside, strict=True))
    weight = sum(w * w * m for w, m in zip(hann, inside, strict=True))
    # a magnitude is a windowed sine's amplitude; frames here are divided by their windows' squares
    torch.testing.assert_close(middle, 0.5 * total / weight, rtol=1e-4, atol=1e-5)


def test_the_range() -> None:
    z = 300 * torch.randn(3, 5, 5)
    bounded, free = make(output="tanh"), make()
    assert bounded.is_bounded
    assert not free.is_bounded
    torch.testing.assert_close(bounded(z), free(z).tanh())
    assert free(z).isfinite().all()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [1, 8, 8]),
        ("embedding_dim", 0),
        ("width", 0),
        ("window", 15),
        ("hop", 12),
        ("stride", 0),
        ("blocks", -1),
        ("deep_blocks", -1),
        ("output", "sigmoid"),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import pad

from ganvas.errors import OptionError
from ganvas.model.encoder.vocos import VocosEncoder


def make(**options: object) -> VocosEncoder:
    torch.manual_seed(0)
    given = {
        **{"sample_shape": [1, 60], "embedding_dim": 5, "width": 6, "window": 16, "hop": 4, "stride": 3},
        **{"blocks": 1, "deep_blocks": 1},
    }
    return VocosEncoder(**(given | options))


@pytest.mark.parametrize(("length", "latents"), [(60, 5), (61, 6), (12, 1), (1, 1)])
@pytest.mark.parametrize("channels", [1, 2])
def test_shapes(length: int, latents: int, channels: int) -> None:
    made = make(sample_shape=[channels, 60])(torch.randn(3, channels, length))
    assert made.shape == (3, 5, latents)


def test_a_sound_between_lengths_has_silence_behind_it() -> None:
    encoder, x = make(), torch.randn(2, 1, 45)
    assert torch.equal(encoder(x), encoder(pad(x, (0, 3))))


def test_it_sees_no_sign_but_loudness_and_pitch() -> None:
    encoder, t = make(), torch.arange(60.0)
    x = 0.1 * torch.sin(0.8 * t)[None, None]
    torch.testing.assert_close(encoder(-x), encoder(x))
    assert not torch.allclose(encoder(2 * x), encoder(x), atol=1e-3)
    assert not torch.allclose(encoder(0.1 * torch.sin(1.6 * t)[None, None]), encoder(x), atol=1e-3)


def test_silence_has_latents_and_finite_gradients() -> None:
    x = torch.zeros(2, 1, 60, requires_grad=True)
    made = make()(x)
    (gradient,) = torch.autograd.grad(made.square().sum(), x)
    assert made.isfinite().all()
    assert gradient.isfinite().all()


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
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option

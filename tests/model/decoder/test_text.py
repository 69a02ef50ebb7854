from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.decoder.text import TextDecoder
from ganvas.model.encoder.text import TextEncoder

_SIZES = {"sample_shape": [13], "vocabulary": 7, "embedding_dim": 3, "width": 8}


@pytest.mark.parametrize("downsamplings", [0, 1, 2, 3])
@pytest.mark.parametrize("depth", [0, 1])
def test_logits_of_what_the_encoder_makes(downsamplings, depth):
    sizes = _SIZES | {"downsamplings": downsamplings, "depth": depth}
    logits = TextDecoder(**sizes)(TextEncoder(**sizes)(torch.randint(7, (2, 13))))
    assert logits.shape == (2, 7, 13)
    logits.sum().backward()


def test_every_latent_reaches_its_symbols_and_no_far_ones():
    torch.manual_seed(1)
    sizes = _SIZES | {"sample_shape": [64], "downsamplings": 2, "depth": 0}
    net, z = TextDecoder(**sizes), torch.randn(1, 3, 16)
    other = z.clone()
    other[:, :, 4] += torch.tensor([1.0, -2.0, 0.5])
    changed = (net(z) - net(other)).abs().amax((0, 1)) > 1e-6
    assert changed[16:20].all()
    assert not changed[:6].any()
    assert not changed[30:].any()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [1, 8, 8]),
        ("vocabulary", 1),
        ("embedding_dim", 0),
        ("downsamplings", 4),
        ("depth", -1),
    ],
)
def test_options_out_of_range(option, value):
    with pytest.raises(OptionError, match=f"^{option}="):
        TextDecoder(**(_SIZES | {option: value}))


def test_latents_of_another_shape():
    with pytest.raises((ValueError, OptionError)):
        TextDecoder(**_SIZES)(torch.zeros(2, 3, 5))

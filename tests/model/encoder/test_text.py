from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.encoder.text import TextEncoder


def encoder(**options) -> TextEncoder:
    torch.manual_seed(1)
    return TextEncoder(**({"sample_shape": [13], "vocabulary": 7, "embedding_dim": 3, "width": 8} | options))


@pytest.mark.parametrize(("downsamplings", "positions"), [(0, 13), (1, 7), (2, 4), (3, 2)])
@pytest.mark.parametrize("depth", [0, 1])
def test_latents_at_fewer_positions(downsamplings, positions, depth):
    z = encoder(downsamplings=downsamplings, depth=depth)(torch.randint(7, (2, 13)))
    assert z.shape == (2, 3, positions)


def test_every_symbol_counts_and_its_place_too():
    net, x = encoder().eval(), torch.randint(7, (1, 13))
    for place in range(13):
        other = x.clone()
        other[0, place] = (x[0, place] + 1) % 7
        assert not torch.allclose(net(x), net(other), atol=1e-6), place


def test_without_attention_it_sees_what_is_near_alone():
    net, x = encoder(depth=0, sample_shape=[64]), torch.randint(7, (1, 64))
    other = x.clone()
    other[0, 0] = (x[0, 0] + 1) % 7
    changed = (net(x) - net(other)).abs().amax((0, 1)) > 1e-7
    assert changed[0]
    assert not changed[5:].any()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [1, 8, 8]),
        ("vocabulary", 1),
        ("embedding_dim", 0),
        ("width", 0),
        ("downsamplings", 4),
        ("depth", -1),
    ],
)
def test_options_out_of_range(option, value):
    with pytest.raises(OptionError, match=f"^{option}="):
        encoder(**{option: value})


@pytest.mark.parametrize("x", [torch.zeros(2, 13), torch.zeros(2, 12).long(), torch.zeros(13).long()])
def test_what_are_no_such_symbols(x):
    with pytest.raises(ValueError, match=r"\[B, 13\]"):
        encoder()(x)

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu, layer_norm

from ganvas.errors import OptionError
from ganvas.model.layers.transformer import Block, Transformer, initialize_transformer, learned_vectors


def test_a_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block, x = Block(6, heads=2, mlp_ratio=3).double(), torch.randn(2, 5, 6, dtype=torch.float64)
    made = block.attention.to_query_key_value(layer_norm(x, (6,)))
    heads = []
    for head in range(2):
        query, key, value = (made[..., 6 * one + 3 * head :][..., :3] for one in range(3))
        heads.append((query @ key.mT / 3**0.5).softmax(2) @ value)
    y = x + block.attention.out(torch.cat(heads, dim=2))
    expected = y + block.narrow(gelu(block.widen(layer_norm(y, (6,)))))
    torch.testing.assert_close(block(x), expected)


def test_the_published_size_of_vit_b() -> None:
    with torch.device("meta"):
        network = Transformer(768, depth=12, heads=12)
    count = sum(p.numel() for p in network.parameters())
    patches, token, positions, head = 590_592, 768, 197 * 768, 769_000
    assert patches + token + positions + count + head == 86_567_656  # ViT-B/16 at 224 pixels


def test_the_beginning_is_small() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(50, 40), nn.Conv2d(3, 40, 4))
    initialize_transformer(network)
    for values in (network[0].weight, network[1].weight, learned_vectors(50, 40)):
        assert values.abs().max() <= 0.04
        assert values.std().item() == pytest.approx(
            0.02 * 0.774**0.5, rel=0.06
        )  # variance of a cut normal law
    assert not network[0].bias.any()
    assert not network[1].bias.any()


@pytest.mark.parametrize(
    ("option", "value"), [("width", 0), ("depth", 0), ("heads", 0), ("heads", 4), ("mlp_ratio", 0)]
)
def test_options_are_checked(option: str, value: int) -> None:
    with pytest.raises(OptionError) as error:
        Transformer(**({"width": 6, "depth": 1, "heads": 2} | {option: value}))
    assert error.value.option == option

"""A run's codes in float64: those of float32 but for ties, whatever quantizer makes them."""

from __future__ import annotations

from pathlib import Path

import digit_tokenizers
import pytest
import torch

from ganvas.cli.compose.experiment import compose
from ganvas.cli.trained.coded.model import CodedModel, hashes
from ganvas.data.digits import Digits
from ganvas.functional.images import to_float
from ganvas.run.config.build import build

_SMALL = ("model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8", "model.embedding_dim=4")
CASES = {
    **{name: [*words] for name, words in digit_tokenizers.WORDS.items()},
    "fsq": ["model=vqvae", "model/quantizer=fsq", *_SMALL[:2]],
    "lfq": ["model=vqvae", "model/quantizer=lfq", *_SMALL[:2]],
    "multiscale": ["model=vqvae", "model/quantizer=multiscale", *_SMALL, "model.num_embeddings=16"],
    "grouped": ["model=vqvae", "model/quantizer=grouped", *_SMALL, "model.num_embeddings=16"],
    "gumbel": ["model=vqvae", "model/quantizer=gumbel", *_SMALL, "model.num_embeddings=16"],
}


@pytest.mark.parametrize("case", CASES)
def test_codes_and_samples_are_those_of_the_recipe(case: str) -> None:
    torch.manual_seed(1)
    recipe = build(compose([*CASES[case], "data=digits"]).config["model"], "model")
    data = Digits(batch_size=16, channels=1, image_size=8, num_classes=10)
    x = next(iter(data.batches("train", 256))).x
    with torch.no_grad():  # codes begin as latents of a first batch
        recipe.train().autoencode(x)
    recipe.eval()
    pixels = ((x[:40] + 1) * 127.5).round().to(torch.uint8).numpy()
    floats = to_float(torch.from_numpy(pixels))
    before = recipe.encode(floats)
    made = recipe.decode(before)
    digest, _ = hashes(recipe.state_dict(), None)
    model = CodedModel(recipe, data, Path("run"))
    assert model.hash == digest
    codes = model.encode(pixels, model.num_levels)
    expected = model.layouts[-1].flatten(before)
    assert (codes == expected).float().mean() > 0.99
    decoded = model.decode(expected)
    assert decoded.dtype == torch.float64
    assert torch.allclose(decoded, made.double(), atol=1e-4)
    assert not torch.equal(decoded, decoded.float().double())  # it was computed so, not widened in the end
    for levels in range(1, model.num_levels):
        cut = model.encode(pixels, levels)
        layout = model.layouts[levels - 1]
        layout.require_codes(cut)
        assert layout.length < model.layouts[levels].length
        assert torch.isfinite(model.decode(cut)).all()
        assert model.layout_like(layout) == layout


def test_a_hash_is_of_what_decodes() -> None:
    state = {"quantizer.codebook": torch.ones(2), "decoder.w": torch.ones(3), "encoder.w": torch.ones(4)}
    first, none = hashes(state, None)
    assert none is None
    assert hashes(state | {"encoder.w": torch.zeros(4), "clock": torch.ones(1)}, None)[0] == first
    assert hashes(state | {"decoder.w": torch.zeros(3)}, None)[0] != first
    prior = {"prior.w": torch.ones(2), "ema.average.w": torch.zeros(2)}
    with_prior = hashes(state, prior)
    assert with_prior[0] == first != with_prior[1]
    assert hashes(state, prior | {"prior.w": torch.zeros(2)}) == with_prior  # the average is what is used
    assert hashes(state, prior | {"ema.average.w": torch.ones(2)}) != with_prior
    assert hashes(state, {"prior.w": torch.zeros(2)}) == with_prior

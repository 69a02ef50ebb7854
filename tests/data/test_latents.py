"""Latents as data: batches are what the tokenizer's decoder takes, scaled; all else sees the samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from digit_tokenizers import tokenizer

from ganvas.data.latents import Latents
from ganvas.errors import OptionError
from ganvas.functional.batch import StoredBatch

SIZES: dict[str, dict[str, Any]] = {  # of the latents of each kind of 8 x 8 digits
    "grid": {"channels": 4, "image_size": 2},
    "residual": {"channels": 4, "image_size": 2},
    "pyramid": {"channels": 8, "image_size": 2},
    "row": {"channels": None, "image_size": None},
}


def latents(kind: str, **options: Any) -> Latents:
    return Latents(tokenizer=tokenizer(kind), batch_size=16, **SIZES[kind] | options)


def vectors(data: Latents, codes: torch.Tensor) -> torch.Tensor:
    """The code vectors that the decoder takes, not scaled."""
    own = data.tokenizer
    assert own is not None
    return own.recipe.quantizer.decode(own.layout.unflatten(codes))


@pytest.mark.parametrize("kind", SIZES)
def test_each_channel_of_the_training_codes_fills_minus_one_to_one(kind: str) -> None:
    data = latents(kind)
    x = torch.cat([batch.x for batch in data.latents("train", 300)]).transpose(0, 1).flatten(1)
    z = torch.cat([vectors(data, batch.x) for batch in data.codes("train", 300)])
    z = z.transpose(0, 1).flatten(1)
    low, high = z.min(1, keepdim=True).values, z.max(1, keepdim=True).values
    torch.testing.assert_close(x, 2 * (z - low) / (high - low) - 1, rtol=0, atol=1e-5)
    torch.testing.assert_close(x.amin(1), -torch.ones(len(x)), rtol=0, atol=1e-5)
    torch.testing.assert_close(x.amax(1), torch.ones(len(x)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", SIZES)
def test_latents_decode_to_what_the_tokenizer_makes_of_their_codes(kind: str) -> None:
    data = latents(kind)
    for name in ("train", "test"):
        coded, x, real = (
            next(iter(batches(name, 24))) for batches in (data.codes, data.latents, data.batches)
        )
        assert torch.equal(coded.label, x.label)  # type: ignore[arg-type]
        made = data.latent_space.decode(x.x)
        torch.testing.assert_close(made, data.tokenizer.decode(coded.x), rtol=0, atol=1e-4)
        assert torch.equal(data.latent_space.encode(real.x), x.x)
        assert made.shape == real.x.shape
        assert made.std() > 1e-3


def test_training_batches_are_latents_of_the_samples_that_others_see() -> None:
    data = latents("grid")
    data.prepare()
    stored = next(iter(data.train_dataloader()))
    assert isinstance(stored, StoredBatch)
    batch = data.on_after_batch_transfer(stored, 0)
    assert batch.x.shape == (16, 4, 2, 2)
    assert batch.x.dtype == torch.float32
    own: Any = data.tokenizer
    codes = own.encode(data.source.split("train").x[stored.row].float() / 127.5 - 1)
    assert torch.equal(batch.x, data.latent_space.of(codes))
    assert torch.equal(batch.label, data.source.split("train").label[stored.row])
    assert data.on_after_batch_transfer(batch, 0) is batch
    assert data.sample_shape == (1, 8, 8)
    assert data.num_classes == 10
    assert data.facts() == data.source.facts()


def test_bounds_are_those_of_all_codes_whatever_the_batches_and_stay_where_they_were_set() -> None:
    one, other = latents("grid"), latents("grid", encode_batch_size=7)
    one.prepare()
    other.prepare()
    assert torch.equal(one.latent_space.lowest, other.latent_space.lowest)
    assert torch.equal(one.latent_space.highest, other.latent_space.highest)
    kept = latents("grid")
    state = {"lowest": torch.full((4,), -3.0), "highest": torch.full((4,), 5.0)}
    kept.latent_space.load_state_dict(state)
    kept.prepare()
    (x,) = (batch.x for batch in kept.latents("val", 8, 8))
    (codes,) = (batch.x for batch in kept.codes("val", 8, 8))
    torch.testing.assert_close(x, (vectors(kept, codes) - 1) / 4)


def test_snap_decodes_the_nearest_code_of_each_vector() -> None:
    plain, snapped = latents("grid"), latents("grid", snap=True)
    plain.prepare()
    snapped.prepare()
    (coded,) = plain.codes("train", 12, 12)
    x = plain.latent_space.of(coded.x)
    noisy = x + 3e-2 * torch.linspace(-1, 1, x.numel()).view(x.shape)
    exact = plain.tokenizer.decode(coded.x)
    torch.testing.assert_close(snapped.latent_space.decode(noisy), exact, rtol=0, atol=1e-7)
    assert (plain.latent_space.decode(noisy) - exact).abs().max() > 1e-6
    far = torch.full_like(x, 0.3)
    codebook = snapped.tokenizer.recipe.quantizer.codebook  # [K, D]
    space = snapped.latent_space
    z = far[0, :, 0, 0] * (space.highest - space.lowest) / 2 + (space.highest + space.lowest) / 2
    nearest = int((codebook - z).square().sum(1).argmin())
    expected = plain.tokenizer.decode(torch.full((1, 4), nearest))
    torch.testing.assert_close(space.decode(far)[:1], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "options", "refused"),
    [
        (
            "grid",
            {"channels": 64},
            "channels=64: the latents of a_tokenizer are 4 x 2 x 2; data.channels=4 data.image_size=2",
        ),
        (
            "grid",
            {"image_size": 8},
            "image_size=8: the latents of a_tokenizer are 4 x 2 x 2; data.channels=4",
        ),
        ("grid", {"channels": None}, "channels=null: the latents of"),
        ("pyramid", {"channels": 4}, "channels=4: the latents of a_tokenizer are 8 x 2 x 2; data.channels=8"),
        (
            "row",
            {"channels": 16},
            "channels=16: the latents of a_tokenizer are 8 x 8; data.channels=null data.image_size=null "
            r"'data.sample_shape=\[8, 8\]', and networks of any shape",
        ),
        ("residual", {"snap": True}, "snap=True: ResidualQuantizer does not take the nearest code"),
        ("pyramid", {"snap": True}, "snap=True: TopDown does not take the nearest code"),
        ("grid", {"tokenizer": None}, "tokenizer=null"),
        ("grid", {"num_classes": 3}, "num_classes=3: the data has 10 classes; num_classes=10"),
        ("grid", {"batch_size": 5000}, "batch_size=5000"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, options: dict[str, Any], refused: str) -> None:
    with pytest.raises(OptionError, match=refused):
        Latents(**{"tokenizer": tokenizer(kind), **SIZES[kind]} | options).prepare()


def test_codes_that_are_all_alike_are_no_data() -> None:
    data = latents("grid")
    own: Any = data.tokenizer
    own.recipe.quantizer.codebook.fill_(0.5)
    with pytest.raises(OptionError, match="has one code for all data"):
        data.prepare()


def test_a_channel_that_never_changes_is_zero_and_comes_back() -> None:
    data = latents("grid")
    own: Any = data.tokenizer
    own.recipe.quantizer.codebook[:, 2] = 0.25
    data.prepare()
    (batch,) = data.latents("train", 20, 20)
    (coded,) = data.codes("train", 20, 20)
    assert (batch.x[:, 2] == 0).all()
    assert batch.x[:, 1].std() > 0.1
    made = data.latent_space.decode(batch.x)
    torch.testing.assert_close(made, own.decode(coded.x), rtol=0, atol=1e-4)


def test_latents_of_another_shape_are_refused() -> None:
    data = latents("grid")
    with pytest.raises(ValueError, match=r"latents of shape \[2, 4, 2, 3\]: must be \[B, 4, 2, 2\]"):
        data.latent_space.decode(torch.zeros(2, 4, 2, 3))

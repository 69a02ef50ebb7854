"""The VQ-VAE-2 recipe against the paper's steps written out in plain PyTorch."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.model.decoder.conv import ConvDecoder
from ganvas.model.encoder.conv import ConvEncoder
from ganvas.model.optimizer.adam import adam
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.reconstruction_loss.mse import MSE
from ganvas.model.vqvae2 import VQVAE2

SMALL = {"hidden_channels": 6, "residual_channels": 3, "residual_blocks": 1}


def make(levels: int = 2, **options: Any) -> VQVAE2:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "encoder": ConvEncoder(1, 5, **SMALL),
        "upper_encoder": partial(ConvEncoder, 5, 5, downsamplings=1, **SMALL),
        "quantizer": lambda: VectorQuantizer(7, 3, commitment_cost=0.4, restart_after=0),
        "decoder": ConvDecoder(1, 6, **SMALL),
        "upper_decoder": partial(ConvDecoder, 5, upsamplings=1, **SMALL),
        "levels": levels,
        "hidden_dim": 5,
        "reconstruction_loss": MSE(),
        "optimizer": partial(adam, lr=1e-2),
        "grad_clip": None,
        "seed": 3,
    }
    return VQVAE2(**parts | options)


def _quantize(quantizer: Any, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Straight-through codes, indices and the loss, by definition."""
    codes = quantizer.codebook
    index = (z[:, None] - codes[None, :, :, None, None]).square().sum(2).argmin(1)
    e = codes[index].movedim(-1, 1)
    loss = (e - z.detach()).square().mean() + 0.4 * (z - e.detach()).square().mean()
    return z + (e - z).detach(), index, loss


def _started(levels: int = 2) -> VQVAE2:
    model = make(levels)
    model.autoencode(torch.rand(8, 1, 16, 16))
    return model


def test_two_levels_by_definition() -> None:
    model = _started()
    x = torch.rand(4, 1, 16, 16)
    (bottom, top), down = model.encoder.stages, model.quantizer  # type: ignore[misc, union-attr]
    h = bottom(x)  # [4, 5, 4, 4]
    q_top, i_top, loss_top = _quantize(down.quantizers[0], down.to_latents[0](top(h)))  # type: ignore[index, operator]
    seen = torch.cat([h, down.upper_decoders[0](q_top)], dim=1)  # type: ignore[index, operator]
    q_bottom, i_bottom, loss_bottom = _quantize(down.quantizers[1], down.to_latents[1](seen))  # type: ignore[index, operator]
    joined = torch.cat([q_bottom, down.upsamplings[0](q_top)], dim=1)  # type: ignore[index, operator]
    expected = model.decoder(joined)
    made, output = model.autoencode(x)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(output.loss, loss_top + loss_bottom)
    assert [one.shape for one in output.indices] == [(4, 1, 2, 2), (4, 1, 4, 4)]
    assert torch.equal(output.indices[0][:, 0], i_top)
    assert torch.equal(output.indices[1][:, 0], i_bottom)
    grads = []
    for loss in (
        (made - x).square().mean() + output.loss,
        (expected - x).square().mean() + loss_top + loss_bottom,
    ):
        model.zero_grad()
        loss.backward()
        grads.append([one.grad.clone() for one in model.parameters() if one.grad is not None])
    assert len(grads[0]) == len(list(model.parameters())), "all of it learns"
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("levels", [2, 3])
def test_encode_and_decode_are_the_two_halves(levels: int) -> None:
    model = _started(levels)
    x = torch.rand(4, 1, 16, 16)
    indices = model.encode(x)
    assert [tuple(one.shape[2:]) for one in indices] == [(1, 1), (2, 2), (4, 4)][-levels:]
    whole = model.reconstruct(x)
    assert torch.equal(model.decode(indices), whole.x)
    assert all(torch.equal(one[:, 0], found) for one, found in zip(indices, whole.indices, strict=True))
    assert model.codebook_sizes == (7,) * levels
    # the first ones alone: an image that the others' codes do not change
    changed = [indices[0], *(torch.zeros_like(one) for one in indices[1:])]
    cut = model.decode(indices, levels=1)
    assert torch.equal(cut, model.decode(indices[:1]))
    assert torch.equal(cut, model.decode(changed, levels=1))
    assert not torch.equal(cut, whole.x)
    for wrong in (0, levels + 1):
        with pytest.raises(OptionError, match=f"levels={wrong}: must be 1 to {levels}"):
            model.decode(indices, levels=wrong)
    with pytest.raises(ValueError, match="0 levels of indices"):
        model.decode([])


def test_every_level_may_have_levels_of_its_own() -> None:
    model = make(quantizer=lambda: ResidualQuantizer(lambda: VectorQuantizer(7, 3), levels=2))
    x = torch.rand(8, 1, 16, 16)
    model.autoencode(x)
    found = model.reconstruct(x)
    assert [one.shape for one in found.indices] == [(8, 2, 2), (8, 2, 2), (8, 4, 4), (8, 4, 4)]
    assert model.codebook_sizes == (7, 7, 7, 7)
    assert torch.equal(model.decode(model.encode(x)), found.x)


def test_validation_counts_each_level() -> None:
    model, x = _started(), torch.rand(8, 1, 16, 16)
    report = model.validation_metrics(model.validation_sums(Batch(x, None)), 8)
    used = [len(one.unique()) for one in model.reconstruct(x).indices]
    assert report["codes_used"] == sum(used) / 2
    mse = ((model.reconstruct(x).x - x) / 2).square().mean()
    assert report["psnr"] == pytest.approx(-10 * mse.log10().item(), rel=1e-4)


def test_it_learns_and_the_top_is_read() -> None:
    model, x = _started(), torch.rand(16, 1, 16, 16)
    before = copy.deepcopy(model.quantizer.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        made, output = model.autoencode(x)
        losses.append((made - x).square().mean().item())
        optimizer.zero_grad()
        ((made - x).square().mean() + output.loss).backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    assert any(not torch.equal(value, before[name]) for name, value in model.quantizer.state_dict().items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 1}, "levels=1: must be at least 2"),
        ({"hidden_dim": 0}, "hidden_dim=0: must be at least 1"),
        ({"quantizer": lambda: VectorQuantizer(1, 3)}, "quantizer.num_embeddings=1: must be at least 2"),
        ({"quantizer": lambda: torch.nn.ReLU()}, "quantizer=ReLU: must make a Quantizer"),
        (
            {"upper_encoder": partial(ConvEncoder, 5, 5, downsamplings=0)},
            "upper_encoder.downsamplings=0: must be",
        ),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**options)


@pytest.mark.parametrize("side", [20, 28])
def test_sides_that_do_not_halve_evenly_are_padded_and_cut(side: int) -> None:
    model, x = make(levels=3), torch.rand(8, 1, side, side)
    model.check_sample(x)
    model.autoencode(x)
    assert [one.shape[2] for one in model.encode(x)] == {20: [2, 3, 5], 28: [2, 4, 7]}[side]
    assert model.decode(model.encode(x)).shape == x.shape


def test_encoders_that_leave_too_little_are_refused() -> None:
    model = make(upper_encoder=lambda: torch.nn.Conv2d(5, 5, 4, 2, 1))
    with pytest.raises(OptionError, match="image_size=5x5: a map of 5 x 5 is halved and doubled to 4 x 4"):
        model.check_sample(torch.rand(2, 1, 20, 20))

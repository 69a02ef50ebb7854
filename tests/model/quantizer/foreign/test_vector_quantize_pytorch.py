from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.foreign.vector_quantize_pytorch import sim_vq, vector_quantize
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


def _state(heads: int = 1, dim: int = 4, **more: Tensor) -> dict[str, Tensor]:
    """What their VectorQuantize of 7 codes holds, by the names that it has there."""
    torch.manual_seed(0)
    codes, counts = torch.randn(heads, 7, dim), 1 + torch.rand(heads, 7)
    own = {"embed": codes, "embed_avg": codes * counts[..., None], "cluster_size": counts}
    return {f"_codebook.{name}": value for name, value in own.items()} | {
        "_codebook.initted": torch.tensor(True),
        **more,
    }


def _projections() -> dict[str, Tensor]:
    shapes = {"project_in.weight": (4, 6), "project_in.bias": (4,), "project_out.weight": (6, 4)}
    return {name: torch.randn(shape) for name, shape in (shapes | {"project_out.bias": (6,)}).items()}


def test_running_means_go_on_where_they_were() -> None:
    state, z = _state(), torch.randn(50, 4)
    quantizer = vector_quantize({f"net.vq.{name}": value for name, value in state.items()}, prefix="net.vq.")
    assert isinstance(quantizer, EMAVectorQuantizer)
    assert (quantizer.decay, quantizer.commitment_cost, quantizer.gradient) == (0.8, 1.0, "rotation")
    codes, counts = state["_codebook.embed"][0], state["_codebook.cluster_size"][0]
    index = torch.cdist(z, codes).argmin(1)
    output = quantizer(z)
    assert torch.equal(output.indices[:, 0], index)
    assert torch.equal(output.quantized, codes[index])
    torch.testing.assert_close(output.loss, F.mse_loss(codes[index], z))
    torch.testing.assert_close(quantizer.count, 0.8 * counts + 0.2 * index.bincount(minlength=7))


def test_a_learnable_codebook_is_a_parameter() -> None:
    quantizer = vector_quantize(_state(), learnable_codebook=True, rotation_trick=False)
    assert isinstance(quantizer, VectorQuantizer)
    assert quantizer.gradient == "straight_through"
    assert torch.equal(quantizer.codebook, _state()["_codebook.embed"][0])
    quantizer(torch.randn(20, 4) + 100)
    assert torch.equal(quantizer.codebook, _state()["_codebook.embed"][0]), "the first batch starts nothing"


def test_cosine_codes_with_their_projections() -> None:
    projections = _projections()
    quantizer, z = vector_quantize(_state(**projections), use_cosine_sim=True), torch.randn(50, 6)
    assert isinstance(quantizer, CosineQuantizer)
    u = F.normalize(F.linear(z, projections["project_in.weight"], projections["project_in.bias"]), dim=1)
    codes = F.normalize(_state()["_codebook.embed"][0], dim=1)
    index = (u @ codes.T).argmax(1)
    output = quantizer.eval()(z)
    assert torch.equal(output.indices[:, 0], index)
    expected = F.linear(codes[index], projections["project_out.weight"], projections["project_out.bias"])
    torch.testing.assert_close(output.quantized, expected)


def test_codes_that_had_not_started_start_here() -> None:
    state = _state() | {"_codebook.initted": torch.tensor(False), "_codebook.embed": torch.zeros(1, 7, 4)}
    quantizer = vector_quantize(state)
    quantizer(torch.randn(50, 4) + 30)
    assert (quantizer.codebook - 30).abs().max().item() < 6


def test_sim_vq() -> None:
    torch.manual_seed(0)
    state = {"frozen_codebook": torch.randn(7, 4), "code_transform.weight": torch.randn(4, 4)}
    quantizer, z = sim_vq(state), torch.randn(30, 4)
    codes = state["frozen_codebook"] @ state["code_transform.weight"].T
    index = torch.cdist(z, codes).argmin(1)
    output = quantizer(z)
    assert torch.equal(output.indices[:, 0], index)
    torch.testing.assert_close(output.quantized, codes[index])
    torch.testing.assert_close(output.loss, 1.25 * F.mse_loss(codes[index], z))
    with pytest.raises(ValueError, match=r"code_transform.weight of shape \[4, 9\]: must be square"):
        sim_vq(state | {"code_transform.weight": torch.randn(4, 9)})
    with pytest.raises(ValueError, match=r"holds code_transform.bias, which nothing"):
        sim_vq(state | {"code_transform.bias": torch.randn(4)})


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({}, r"holds no VectorQuantize: _codebook.embed, .* is not there"),
        (_state(heads=2), r"_codebook.embed of shape \[2, 7, 4\]: one codebook"),
        (_state(**_projections()), r"projects to its codes.*; cosine does"),
        (_state(**{"project_in.1.weight": torch.ones(4)}), r"holds project_in.1.weight, which nothing"),
        (_state(**{"_codebook.codebook_mean": torch.ones(1, 1, 4)}), r"holds _codebook.codebook_mean, which"),
        (_state() | {"_codebook.embed": torch.full((1, 7, 4), torch.nan)}, r"_codebook.embed holds .* NaN"),
    ],
)
def test_what_cannot_be_read_is_refused(state: dict[str, Tensor], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        vector_quantize(state)


def test_several_heads_that_share_codes_are_refused() -> None:
    state = _state(**(_projections() | {"project_in.weight": torch.randn(8, 6)}))
    with pytest.raises(ValueError, match=r"project_in.weight of shape \[8, 6\]: one head's is \[4, D\]"):
        vector_quantize(state, use_cosine_sim=True)


def _theirs(name: str, **options: Any) -> Any:
    library = pytest.importorskip(
        "vector_quantize_pytorch", reason="vector-quantize-pytorch is not installed"
    )
    torch.manual_seed(0)
    return getattr(importlib.import_module(library.__name__), name)(dim=8, codebook_size=16, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"kmeans_init": True, "rotation_trick": False}, {"rotation_trick": False}),
        ({"learnable_codebook": True, "ema_update": False}, {"learnable_codebook": True}),
        ({"use_cosine_sim": True}, {"use_cosine_sim": True}),
        ({"use_cosine_sim": True, "codebook_dim": 4}, {"use_cosine_sim": True}),
    ],
)
def test_the_library_itself_gives_the_same_codes(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    module = _theirs("VectorQuantize", **theirs)
    for _ in range(3):
        module(torch.randn(4, 50, 8))
    quantizer = vector_quantize(module.state_dict(), **ours)
    if not theirs:  # running means in training
        z = torch.randn(4, 50, 8)
        _, _, loss = module(z)
        found = quantizer.train()(z.movedim(-1, 1))
        torch.testing.assert_close(found.loss, loss.squeeze())
        torch.testing.assert_close(quantizer.codebook, module._codebook.embed[0], rtol=1e-4, atol=1e-5)
    _equal(module, quantizer)


@pytest.mark.slow
def test_the_librarys_sim_vq_gives_the_same_codes_and_loss() -> None:
    module = _theirs("SimVQ")
    quantizer, z = sim_vq(module.state_dict()), torch.randn(4, 50, 8)
    torch.testing.assert_close(quantizer(z.movedim(-1, 1)).loss, module(z)[2])
    _equal(module, quantizer)


def _equal(module: Any, quantizer: Quantizer) -> None:
    """Codes and vectors in eval mode, and the gradient in training, where the codes are frozen."""
    z = torch.randn(4, 500, 8)
    own, other = z.clone().requires_grad_(True), z.movedim(-1, 1).clone().requires_grad_(True)
    quantized, indices, _ = module.eval()(z)
    output = quantizer.eval()(other)
    assert torch.equal(output.indices[:, 0], indices)
    torch.testing.assert_close(output.quantized.movedim(1, -1), quantized)
    frozen = {} if hasattr(module, "code_transform") else {"freeze_codebook": True}
    upstream = torch.randn_like(quantized)
    module.train()(own, **frozen)[0].backward(upstream)
    quantizer.train().requires_grad_(False)(other).quantized.backward(upstream.movedim(-1, 1))
    torch.testing.assert_close(other.grad.movedim(1, -1), own.grad, rtol=1e-3, atol=1e-3)

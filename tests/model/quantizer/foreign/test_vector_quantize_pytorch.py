from __future__ import annotations

import importlib
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.foreign.projected import ProjectedQuantizer
from ganvas.model.quantizer.foreign.vector_quantize_pytorch import (
    fsq,
    lfq,
    residual_vq,
    sim_vq,
    vector_quantize,
)
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.residual import ResidualQuantizer
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


def test_projections_of_running_means() -> None:
    projections = _projections()
    quantizer, z = vector_quantize(_state(**projections)), torch.randn(50, 6)
    assert isinstance(quantizer, ProjectedQuantizer)
    codes = _state()["_codebook.embed"][0]
    y = F.linear(z, projections["project_in.weight"], projections["project_in.bias"])
    index = torch.cdist(y, codes).argmin(1)
    output = quantizer.eval()(z)
    assert torch.equal(output.indices[:, 0], index)
    expected = F.linear(codes[index], projections["project_out.weight"], projections["project_out.bias"])
    torch.testing.assert_close(output.quantized, expected)


def _residual(levels: int = 3, *, shared: bool = False, **more: Tensor) -> dict[str, Tensor]:
    states = [_state() for _ in range(levels)]
    for level, state in enumerate(states):
        if not shared:
            state["_codebook.embed"] = state["_codebook.embed"] * 0.5**level
    named = {f"layers.{i}.{name}": value for i, state in enumerate(states) for name, value in state.items()}
    return named | more


@pytest.mark.parametrize("shared", [True, False])
def test_residual_levels(shared: bool) -> None:
    state, projections = _residual(shared=shared), _projections()
    quantizer, z = residual_vq(state | projections, shared_codebook=shared), torch.randn(50, 6)
    assert isinstance(quantizer, ProjectedQuantizer)
    left = F.linear(z, projections["project_in.weight"], projections["project_in.bias"])
    total, indices, losses = torch.zeros_like(left), [], []
    for level in range(3):
        codes = state[f"layers.{level}._codebook.embed"][0]
        indices.append(torch.cdist(left, codes).argmin(1))
        losses.append(F.mse_loss(codes[indices[-1]], left))
        total, left = total + codes[indices[-1]], left - codes[indices[-1]]
    output = quantizer.eval()(z)
    assert torch.equal(output.indices, torch.stack(indices, dim=1))
    expected = F.linear(total, projections["project_out.weight"], projections["project_out.bias"])
    torch.testing.assert_close(output.quantized, expected)
    torch.testing.assert_close(output.loss, torch.stack(losses).mean())
    inner = quantizer.inner
    assert isinstance(inner, ResidualQuantizer)
    assert (len(inner.inners), inner.shared, inner.dropout) == (1 if shared else 3, shared, 0)
    assert torch.equal(inner.get_buffer("inners.0.count"), state["layers.0._codebook.cluster_size"][0])
    dropped = residual_vq(state, quantize_dropout=True, shared_codebook=shared)
    assert isinstance(dropped, ResidualQuantizer)
    assert dropped.dropout == 1


@pytest.mark.parametrize("symmetric", [True, False])
def test_fsq(symmetric: bool) -> None:
    """By their formulas, of two codebooks between projections without bias."""
    torch.manual_seed(0)
    levels, z = torch.tensor([8, 5, 3]), 3 * torch.randn(200, 4)
    state = {"q.project_in.weight": torch.randn(6, 4), "q.project_out.weight": torch.randn(4, 6)}
    options = {"num_codebooks": 2, "preserve_symmetry": symmetric, "dim": 4}
    output = fsq(state, levels.tolist(), prefix="q.", **options)(z)  # type: ignore[arg-type]
    y = (z @ state["q.project_in.weight"].T).unflatten(1, (2, 3))  # [N, codebooks, D]
    if symmetric:
        digits = ((levels - 1) * (torch.tanh(y) + 1) / 2 + 0.5).floor()
        codes = 2 * digits / (levels - 1) - 1
    else:
        half = (levels - 1) * (1 + 1e-3) / 2
        offset = torch.where(levels % 2 == 0, 0.5, 0.0)
        digits = (torch.tanh(y + torch.atanh(offset / half)) * half - offset).round() + levels // 2
        codes = (digits - levels // 2) / (levels // 2)
    assert torch.equal(output.indices, (digits * torch.tensor([1, 8, 40])).sum(2).long())
    torch.testing.assert_close(output.quantized, codes.flatten(1) @ state["q.project_out.weight"].T)


def test_fsq_of_other_margins_has_other_codes() -> None:
    z = torch.linspace(-3, 3, 100_001)[:, None]
    half = 2 * (1 + 1e-3)
    assert torch.equal(fsq({}, [5]).encode(z)[:, 0, None], (half * torch.tanh(z)).round().long() + 2)
    assert not torch.equal(fsq({}, [5]).encode(z), FSQ([5], 1).encode(z))


def _lfq_state(bits: int, **more: Tensor) -> dict[str, Tensor]:
    return {"mask": 2 ** torch.arange(bits).flip(0), **more}


@pytest.mark.parametrize("spherical", [True, False])
def test_lfq(spherical: bool) -> None:
    """By their formulas, with a table of all codes; the first dimension is the highest bit."""
    torch.manual_seed(0)
    z = (0.3 * torch.randn(60, 6)).requires_grad_(True)
    projections = _projections()
    quantizer = lfq(
        _lfq_state(4, **projections),
        spherical=spherical,
        commitment_loss_weight=0.3,
        entropy_loss_weight=0.7,
        diversity_gamma=1.5,
        inv_temperature=2.0,
    )
    output = quantizer(z)
    y = F.linear(z, projections["project_in.weight"], projections["project_in.bias"])
    table = torch.tensor([[float(i >> bit & 1) * 2 - 1 for bit in (3, 2, 1, 0)] for i in range(16)])
    if spherical:
        y, table = F.normalize(y, dim=1), F.normalize(table, dim=1)
    index = ((y > 0) * torch.tensor([8, 4, 2, 1])).sum(1)
    assert torch.equal(output.indices[:, 0], index)
    expected = F.linear(table[index], projections["project_out.weight"], projections["project_out.bias"])
    torch.testing.assert_close(output.quantized, expected)
    p = (2 * 2.0 * y @ table.T).softmax(1)
    entropy = torch.special.entr(p).sum(1).mean() - 1.5 * torch.special.entr(p.mean(0)).sum()
    loss = 0.7 * entropy + 0.3 * F.mse_loss(y, table[index])
    torch.testing.assert_close(output.loss, loss)
    (wanted,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close(torch.autograd.grad(output.loss, z)[0], wanted)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda: residual_vq({}), r"holds no ResidualVQ: layers.0._codebook.embed, .* is not there"),
        (lambda: residual_vq(_residual(), shared_codebook=True), r"of its own for each level: shared_co"),
        (
            lambda: residual_vq(_residual(2) | {"layers.1._codebook.embed": torch.ones(1, 9, 4)}),
            r"codebook_size \(7, 9\): residual has levels of one size",
        ),
        (lambda: residual_vq(_residual(**{"mlps.0.x": torch.ones(2)})), r"holds mlps.0.x, which nothing"),
        (lambda: fsq({}, [5, 4], dim=8), r"dim=8: this state has no projections, and its codes have 2"),
        (
            lambda: fsq({"q.orthogonal_rot": torch.eye(2)}, [5, 4], prefix="q."),
            r"holds orthogonal_rot, which",
        ),
        (lambda: fsq({}, [5, 2]), r"levels=\[5, 2\]: each must be at least 3"),
        (lambda: fsq(_projections(), [5, 4, 3, 3], dim=8), r"dim=8: this state projects from 6"),
        (lambda: lfq({}), r"holds no LFQ: mask is not there"),
        (
            lambda: lfq({"mask": torch.tensor([1, 2, 4])}),
            r"mask of \[1, 2, 4\]: an LFQ's is powers of 2, the",
        ),
        (
            lambda: lfq(
                {name: v for name, v in _lfq_state(4, **_projections()).items() if "in.bias" not in name}
            ),
            r"project_in.bias is not there beside .*cosine_sim_project_in",
        ),
        (
            lambda: lfq(_lfq_state(4, **(_projections() | {"project_in.bias": torch.full((4,), math.inf)}))),
            r"project_in.bias holds numbers that are NaN or infinite",
        ),
    ],
)
def test_what_cannot_be_read_of_the_others_is_refused(read: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        read()


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
        (_state(**{"project_in.weight": torch.ones(4, 6)}), r"project_out.weight is not there beside"),
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
    with pytest.raises(ValueError, match=r"project_in.weight of shape \[8, 6\]: must be \[4, 6\]"):
        vector_quantize(state, use_cosine_sim=True)


def _theirs(name: str, **options: Any) -> Any:
    library = pytest.importorskip(
        "vector_quantize_pytorch", reason="vector-quantize-pytorch is not installed"
    )
    torch.manual_seed(0)
    return getattr(importlib.import_module(library.__name__), name)(dim=8, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"kmeans_init": True, "rotation_trick": False}, {"rotation_trick": False}),
        ({"learnable_codebook": True, "ema_update": False}, {"learnable_codebook": True}),
        ({"use_cosine_sim": True}, {"use_cosine_sim": True}),
        ({"use_cosine_sim": True, "codebook_dim": 4}, {"use_cosine_sim": True}),
        ({"codebook_dim": 4}, {}),
    ],
)
def test_the_library_itself_gives_the_same_codes(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    module = _theirs("VectorQuantize", codebook_size=16, **theirs)
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
    module = _theirs("SimVQ", codebook_size=16)
    quantizer, z = sim_vq(module.state_dict()), torch.randn(4, 50, 8)
    torch.testing.assert_close(quantizer(z.movedim(-1, 1)).loss, module(z)[2])
    _equal(module, quantizer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"kmeans_init": True},
        {"shared_codebook": True},
        {"codebook_dim": 4, "rotation_trick": False, "quantize_dropout": True},
        {"learnable_codebook": True, "ema_update": False},
    ],
)
def test_the_librarys_residual_vq_gives_the_same_codes(options: dict[str, Any]) -> None:
    module = _theirs("ResidualVQ", codebook_size=16, num_quantizers=3, **options)
    for _ in range(3):
        module(torch.randn(4, 50, 8))
    named = ("shared_codebook", "quantize_dropout", "learnable_codebook")
    quantizer = residual_vq(module.state_dict(), **{k: v for k, v in options.items() if k in named})
    z = torch.randn(4, 500, 8)
    quantized, indices, _ = module.eval()(z)
    output = quantizer.eval()(z.movedim(-1, 1))
    assert torch.equal(output.indices.movedim(1, -1), indices)
    torch.testing.assert_close(output.quantized.movedim(1, -1), quantized)
    decoded = quantizer.decode(output.indices).movedim(1, -1)
    torch.testing.assert_close(decoded, module.get_output_from_indices(indices))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("levels", "options"),
    [
        ([8, 5, 5, 3, 4, 4, 3, 7], {}),
        ([8, 5, 5, 4], {}),
        ([8, 5, 4], {"num_codebooks": 2}),
        ([8, 5, 2], {"preserve_symmetry": True}),
    ],
)
def test_the_librarys_fsq_gives_the_same_codes(levels: list[int], options: dict[str, Any]) -> None:
    module = _theirs("FSQ", levels=levels, **options)
    quantizer = fsq(module.state_dict(), levels, dim=8, **options)
    _equal_calls(module, quantizer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"codebook_size": 256},
        {"codebook_size": 32, "commitment_loss_weight": 0.4},
        {"codebook_size": 16, "num_codebooks": 2, "diversity_gamma": 2.0},
        {"codebook_size": 32, "spherical": True, "commitment_loss_weight": 0.4},
    ],
)
def test_the_librarys_lfq_gives_the_same_codes_and_loss(options: dict[str, Any]) -> None:
    module = _theirs("LFQ", **options)
    own = {name: value for name, value in options.items() if name != "codebook_size"}
    # at 100, their default, probabilities below 1e-5 show in their logarithms
    quantizer, z = lfq(module.state_dict(), dim=8, inv_temperature=1.5, **own), torch.randn(4, 50, 8)
    loss = module(z, inv_temperature=1.5).entropy_aux_loss
    torch.testing.assert_close(quantizer(z.movedim(-1, 1)).loss, loss, rtol=1e-3, atol=1e-4)
    _equal_calls(module, quantizer)


def _equal_calls(module: Any, quantizer: Quantizer) -> None:
    """Codes, vectors, what indices decode to and the gradient, of what no batch moves."""
    z = 2 * torch.randn(4, 500, 8)
    own, other = z.clone().requires_grad_(True), z.movedim(-1, 1).clone().requires_grad_(True)
    quantized, indices = module(own)[:2]
    output = quantizer(other)
    assert torch.equal(output.indices.movedim(1, -1), indices.reshape(4, 500, -1).long())
    torch.testing.assert_close(output.quantized.movedim(1, -1), quantized)
    torch.testing.assert_close(
        quantizer.decode(output.indices).movedim(1, -1), module.indices_to_codes(indices)
    )
    upstream = torch.randn_like(quantized)
    quantized.backward(upstream)
    output.quantized.backward(upstream.movedim(-1, 1))
    torch.testing.assert_close(other.grad.movedim(1, -1), own.grad, rtol=1e-4, atol=1e-5)


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

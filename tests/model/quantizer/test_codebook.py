"""What quantizers with a codebook offer alike: the gradient through the codes, and how these start."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.code_losses import entropy_loss, orthogonal_loss
from ganvas.functional.kmeans import kmeans
from ganvas.model.quantizer.codebook import CodebookQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

KINDS = [VectorQuantizer, EMAVectorQuantizer]
Make = Callable[[int, int], CodebookQuantizer]


@pytest.mark.parametrize("kind", KINDS)
def test_a_codebook_alone_is_used_as_it_is(kind: Make) -> None:
    """As other programs keep it."""
    torch.manual_seed(0)
    codes = torch.randn(11, 3)
    quantizer = kind(11, 3)
    quantizer.load_state_dict({"codebook": codes}, strict=False)
    z = 100 + torch.randn(50, 3)
    output = quantizer(z)
    index = torch.cdist(z, codes, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
    assert torch.equal(output.indices[:, 0], index)
    assert torch.equal(output.quantized, codes[index])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cast_there_and_back_sets_no_codes(kind: Make, dtype: torch.dtype) -> None:
    """They start at the first batch's vectors, far from where they are."""
    torch.manual_seed(0)
    quantizer = kind(11, 3).to(dtype).float()
    quantizer.state_dict()
    quantizer(torch.randn(8, 3, 7) + 100)
    assert (quantizer.decode(torch.arange(11)[:, None]) - 100).abs().max() < 10


def _started(kind: type[CodebookQuantizer], **options: Any) -> CodebookQuantizer:
    torch.manual_seed(0)
    quantizer = kind(5, 3, **options)
    quantizer.set_codes(torch.randn(5, 3))
    return quantizer


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_rotation_turns_and_scales_the_gradient(kind: type[CodebookQuantizer], training: bool) -> None:
    quantizer = _started(kind, commitment_cost=0.0, gradient="rotation").train(training)
    codes = quantizer.codebook.detach().clone()
    z, upstream = torch.randn(6, 3).requires_grad_(True), torch.randn(6, 3)
    output = quantizer(z)
    chosen = codes[output.indices[:, 0]]
    assert torch.equal(output.quantized, chosen)
    output.quantized.backward(upstream)
    for row, code, given, found in zip(z.detach(), chosen, upstream, z.grad, strict=True):
        e, q = row / row.norm(), code / code.norm()
        r = (e + q) / (e + q).norm()
        turn = torch.eye(3) - 2 * torch.outer(r, r) + 2 * torch.outer(q, e)
        torch.testing.assert_close(found, code.norm() / row.norm() * turn.T @ given)


def test_diveq_has_no_loss_and_moves_codes_by_the_decoders_gradient() -> None:
    quantizer = _started(VectorQuantizer, gradient="diveq")
    codes = quantizer.codebook.detach().clone()
    z = torch.randn(40, 3).requires_grad_(True)
    output = quantizer(z)
    chosen = codes[output.indices[:, 0]]
    assert output.loss.item() == 0
    assert not {"codebook_loss", "commitment_loss"} & output.metrics.keys()
    torch.testing.assert_close((output.quantized - z).norm(dim=1), (chosen - z).norm(dim=1))
    assert (output.quantized - chosen).norm(dim=1).min().item() > 0
    output.quantized.backward(torch.randn(40, 3))
    used = output.indices.unique()
    assert quantizer.codebook.grad[used].abs().sum(1).min().item() > 0
    assert z.grad.abs().sum(1).min().item() > 0


@pytest.mark.parametrize("how", ["eval", "frozen"])
def test_diveq_takes_the_code_itself_where_codes_do_not_learn(how: str) -> None:
    quantizer = _started(VectorQuantizer, gradient="diveq")
    quantizer.eval() if how == "eval" else quantizer.requires_grad_(False)
    z = torch.randn(40, 3).requires_grad_(True)
    output = quantizer(z)
    assert torch.equal(output.quantized, quantizer.codebook[output.indices[:, 0]])
    (grad,) = torch.autograd.grad(output.quantized[:, 0].sum(), z)
    d = torch.nn.functional.normalize(output.quantized - z, dim=1).detach()
    torch.testing.assert_close(grad, torch.tensor([1.0, 0, 0]) - d[:, :1] * d)


def test_diveqs_noise_goes_on_after_a_checkpoint() -> None:
    quantizer, z = _started(VectorQuantizer, gradient="diveq"), torch.randn(9, 3)
    first = quantizer(z).quantized
    fresh = VectorQuantizer(5, 3, gradient="diveq")
    fresh.load_state_dict(copy.deepcopy(quantizer.state_dict()))
    second = quantizer(z).quantized
    assert not torch.equal(first, second)
    assert torch.equal(second, fresh(z).quantized)


def test_diveq_trains_codes_and_encoder() -> None:
    torch.manual_seed(0)
    quantizer, scale = VectorQuantizer(16, 2, gradient="diveq"), torch.nn.Parameter(torch.tensor(0.2))
    optimizer = torch.optim.Adam([*quantizer.parameters(), scale], lr=0.02)
    for _ in range(200):
        x = torch.randn(256, 2)
        loss = (quantizer(scale * x).quantized / scale - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x = torch.randn(5000, 2)
    error = (quantizer.eval()(scale * x).quantized / scale - x).square().mean().item()
    assert 0.05 < error < 0.2  # a normal plane by 16 codes: 0.11 at best for a product, below for cells


@pytest.mark.parametrize("kind", KINDS)
def test_kmeans_is_where_the_codes_start(kind: type[CodebookQuantizer]) -> None:
    torch.manual_seed(0)
    rows = torch.randn(300, 3)
    centroids, counts = kmeans(rows, 7)
    quantizer = kind(7, 3, start="kmeans")
    quantizer.eval()(rows)
    assert quantizer.batches.item() == 0
    output = quantizer.train()(rows)
    assert torch.equal(output.quantized, centroids[output.indices[:, 0]])
    if isinstance(quantizer, EMAVectorQuantizer):
        n = output.indices.flatten().bincount(minlength=7)
        torch.testing.assert_close(quantizer.count, 0.99 * counts + 0.01 * n)
        sums = torch.zeros(7, 3).index_add_(0, output.indices[:, 0], rows)
        torch.testing.assert_close(quantizer.total, 0.99 * counts[:, None] * centroids + 0.01 * sums)
        torch.testing.assert_close(
            quantizer.codebook, quantizer.total / quantizer.count[:, None], rtol=1e-5, atol=1e-6
        )
    before = quantizer.codebook.detach().clone()
    quantizer(rows + 50)
    assert (quantizer.codebook - before).abs().max().item() < 40, "only the first batch starts them"


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_kmeans_needs_a_vector_a_code(kind: type[CodebookQuantizer], masked: bool) -> None:
    quantizer, z = kind(8, 3, start="kmeans"), torch.randn(4, 3, 3)
    before = copy.deepcopy(quantizer.state_dict())
    mask = torch.zeros(4, 3, dtype=torch.bool)
    mask[:, 0] = mask[0] = True
    few = (z, mask) if masked else (torch.randn(7, 3),)
    with pytest.raises(OptionError, match=r"^start=kmeans: .*codes, 8, and has [67]; take start=batch"):
        quantizer(*few)
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())
    quantizer(torch.randn(8, 3))
    assert quantizer.batches.item() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_kmeans_of_equal_vectors_leaves_finite_codes(kind: type[CodebookQuantizer]) -> None:
    quantizer = kind(8, 3, start="kmeans", **{"restart_threshold": 0.0} if kind is KINDS[1] else {})
    for _ in range(3):
        output = quantizer(torch.full((9, 3), 7.0))
    torch.testing.assert_close(quantizer.codebook.detach(), torch.full((8, 3), 7.0), rtol=1e-3, atol=0)
    assert output.metrics["codes_used"].item() == 1


def _costly(**options: Any) -> VectorQuantizer:
    quantizer = _started(VectorQuantizer, **options)
    assert isinstance(quantizer, VectorQuantizer)
    return quantizer


@pytest.mark.parametrize("training", [False, True])
def test_costs_add_to_the_loss_and_to_its_gradients(training: bool) -> None:
    plain = _costly(commitment_cost=0.4).train(training)
    whole = _costly(
        commitment_cost=0.4,
        orthogonal_cost=3.0,
        entropy_cost=0.7,
        entropy_temperature=0.9,
        entropy_diversity=0.6,
    ).train(training)
    z = torch.randn(20, 3)
    losses, gradients = [], []
    for quantizer in (plain, whole):
        leaf = z.clone().requires_grad_(True)
        output = quantizer(leaf)
        losses.append(output.loss)
        gradients.append(torch.autograd.grad(output.loss, (leaf, quantizer.codebook)))
    leaf, codes = z.clone().requires_grad_(True), plain.codebook.detach().clone().requires_grad_(True)
    entropy = entropy_loss(leaf, codes, temperature=0.9, diversity=0.6, over_ranks=False)
    torch.testing.assert_close(output.metrics["entropy_loss"], entropy.detach())
    torch.testing.assert_close(output.metrics["orthogonal_loss"], orthogonal_loss(codes).detach())
    added = 3 * orthogonal_loss(codes) + 0.7 * entropy
    torch.testing.assert_close(losses[1] - losses[0], added)
    for before, after, more in zip(*gradients, torch.autograd.grad(added, (leaf, codes)), strict=True):
        torch.testing.assert_close(after - before, more, rtol=1e-4, atol=1e-5)


def test_a_restart_leaves_the_costs_gradients() -> None:
    quantizer = _costly(orthogonal_cost=1.0, entropy_cost=1.0, restart_after=1.0)
    with torch.no_grad():
        quantizer.codebook[3] = 1e3
    before = quantizer.codebook.detach().clone()
    quantizer(torch.randn(50, 3)).loss.backward()
    assert not torch.equal(quantizer.codebook[3], before[3])
    assert quantizer.codebook.grad.isfinite().all()


def test_masked_vectors_are_in_no_cost() -> None:
    quantizer = _costly(orthogonal_cost=1.0, entropy_cost=0.5, entropy_temperature=0.5)
    z = torch.randn(4, 3, 5)
    mask = torch.rand(4, 5) < 0.6
    found = copy.deepcopy(quantizer)(z, mask)
    rows = z.movedim(1, -1)[mask]
    expected = quantizer(rows)
    for name in ("entropy_loss", "orthogonal_loss", "codebook_loss", "perplexity"):
        torch.testing.assert_close(found.metrics[name], expected.metrics[name])
    torch.testing.assert_close(found.loss, expected.loss)


_TRAIN = """
    def train(rank, world, kind, options):
        torch.manual_seed(0)
        quantizer = kind(9, 3, **options)
        optimizer = torch.optim.SGD(quantizer.parameters(), lr=0.5) if list(quantizer.parameters()) else None
        for _ in range(5):
            z, there = torch.randn(32, 3, 2), torch.rand(32, 2) < 0.8
            own = slice(32 // world * rank, 32 // world * (rank + 1))
            output = quantizer(z[own], there[own])
            loss = output.loss + output.quantized.square().mean()
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                if world > 1:
                    dist.all_reduce(quantizer.codebook.grad)
                    quantizer.codebook.grad /= world
                optimizer.step()
        return dict(quantizer.state_dict()), output.metrics
"""
_RUNS = """
    from ganvas.model.quantizer.vq import VectorQuantizer
    from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

    costs = {"orthogonal_cost": 0.3, "entropy_cost": 0.1, "entropy_temperature": 1.0}
    runs = {
        "diveq": (VectorQuantizer, {"gradient": "diveq", "restart_after": 2.0}),
        "costs": (VectorQuantizer, {"gradient": "rotation", "start": "kmeans", **costs}),
        "ema": (EMAVectorQuantizer, {"gradient": "rotation", "start": "kmeans", "decay": 0.5}),
    }
"""


def _trained() -> dict[str, Any]:
    names: dict[str, Any] = {"torch": torch}
    exec(textwrap.dedent(_TRAIN) + textwrap.dedent(_RUNS), names)
    return {name: names["train"](0, 1, *run) for name, run in names["runs"].items()}


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    last = "    result = {name: train(rank, 2, *run) for name, run in runs.items()}\n"
    expected = _trained()
    for result in two_ranks(_TRAIN + _RUNS + last):
        for name, (state, metrics) in expected.items():
            torch.testing.assert_close(result[name][0], state, rtol=1e-4, atol=1e-5, msg=name)
            for shared in ("perplexity", "codes_used"):
                torch.testing.assert_close(result[name][1][shared], metrics[shared])


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (VectorQuantizer, {"gradient": "ste"}, r"^gradient=ste: must be one of .*diveq; straight_through"),
        (
            EMAVectorQuantizer,
            {"gradient": "diveq"},
            r"^gradient=diveq: moves the codes by .*; take vq, or rot",
        ),
        (EMAVectorQuantizer, {"start": "means"}, r"^start=means: must be one of batch, kmeans"),
        (VectorQuantizer, {"gradient": "diveq", "commitment_cost": 0.25}, r"^commitment_cost=0.25: diveq"),
        (VectorQuantizer, {"orthogonal_cost": -1.0}, r"^orthogonal_cost=-1.0: "),
        (VectorQuantizer, {"entropy_cost": -1.0}, r"^entropy_cost=-1.0: "),
        (VectorQuantizer, {"entropy_temperature": 0.0}, r"^entropy_temperature=0.0: must be positive"),
        (VectorQuantizer, {"entropy_diversity": -0.5}, r"^entropy_diversity=-0.5: "),
    ],
)
def test_options_are_checked(kind: type[CodebookQuantizer], options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        kind(**options)


def test_the_default_commitment_is_the_papers() -> None:
    z = torch.randn(6, 3)
    losses: list[Tensor] = [_costly(commitment_cost=cost)(z).loss for cost in (None, 0.25, 0.5)]
    assert torch.equal(losses[0], losses[1])
    assert losses[2] > losses[1]
    assert _costly(gradient="diveq", commitment_cost=0.0)(z).loss.item() == 0

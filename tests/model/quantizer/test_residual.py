from __future__ import annotations

import copy
import itertools
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.quantizer.bsq import BSQ
from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.grouped import GroupedQuantizer
from ganvas.model.quantizer.gumbel import GumbelQuantizer
from ganvas.model.quantizer.ibq import IBQ
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.lfq import LFQ
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.simvq import SimVQ
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


def _started(levels: int = 3, **options: Any) -> ResidualQuantizer:
    """In train mode, frozen, with codes that get smaller level by level."""
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(lambda: VectorQuantizer(7, 4), levels, **options)
    for level, one in enumerate(quantizer.inners):
        one.set_codes(torch.randn(7, 4) / 2**level)  # type: ignore[operator]
    return quantizer.requires_grad_(False)


def _by_definition(quantizer: ResidualQuantizer, rows: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Indices [N] and codes [N, D] of every level, by a search over all of them in float64."""
    left, indices, codes = rows.double(), [], []
    for one in quantizer.inners:
        table = one.codebook.detach().double()  # type: ignore[operator]
        indices.append((left[:, None] - table).square().sum(2).argmin(1))
        codes.append(table[indices[-1]])
        left = left - codes[-1]
    return indices, codes


def test_every_level_takes_the_code_of_what_is_left_over() -> None:
    quantizer, z = _started().eval(), torch.randn(50, 4)
    indices, codes = _by_definition(quantizer, z)
    output = quantizer(z)
    assert torch.equal(output.indices, torch.stack(indices, dim=1))
    torch.testing.assert_close(output.quantized.double(), codes[0] + codes[1] + codes[2])
    for levels in (1, 2, 3):
        expected = sum(codes[:levels], torch.zeros(()))
        for cut in (
            quantizer.decode(output.indices, levels=levels),
            quantizer.decode(output.indices[:, :levels]),
        ):
            torch.testing.assert_close(cut.double(), expected)


def test_the_gradient_is_the_identity_and_each_level_commits() -> None:
    """Not Q times the identity, as the sum of the levels' own estimators would be."""
    quantizer = _started()
    z = torch.randn(50, 4, requires_grad=True)
    upstream = torch.randn(50, 4)
    _, codes = _by_definition(quantizer, z.detach())
    output = quantizer(z)
    left, distances, gradient = z.detach().double(), [], upstream.double()
    for code in codes:
        left = left - code
        distances.append(left.square().mean())
        gradient = gradient + 0.25 * 2 * left / left.numel() / 3  # the mean of three levels
    (output.loss + (output.quantized * upstream).sum()).backward()
    torch.testing.assert_close(z.grad.double(), gradient)  # type: ignore[union-attr]
    mean = torch.stack(distances).mean()
    torch.testing.assert_close(output.loss.double(), 1.25 * mean)
    for name in ("codebook_loss", "commitment_loss"):
        torch.testing.assert_close(output.metrics[name].double(), mean)


@pytest.mark.parametrize("make", [lambda: EMAVectorQuantizer(7, 4), lambda: FSQ([5, 4, 3, 8], 4)])
def test_one_level_is_the_inner_quantizer(make: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    one = make()
    residual = ResidualQuantizer(lambda: copy.deepcopy(one), levels=1)
    for _ in range(4):
        z = torch.randn(6, 4, 3)
        both, upstream = [], torch.randn(6, 4, 3)
        for quantizer in (one, residual):
            leaf = z.clone().requires_grad_(True)
            output = quantizer(leaf)
            (output.loss + (output.quantized * upstream).sum()).backward()
            both.append((output.quantized, output.indices, output.loss, output.metrics, leaf.grad))
        torch.testing.assert_close(both[1], both[0], rtol=1e-6, atol=1e-7)
    for name, value in one.state_dict().items():
        assert torch.equal(value, residual.state_dict()[f"inners.0.{name}"]), name


@pytest.mark.parametrize("shared", [False, True])
def test_levels_get_finer(shared: bool) -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(lambda: EMAVectorQuantizer(32, 3, decay=0.9), levels=4, shared=shared)
    assert len(quantizer.inners) == (1 if shared else 4)
    for _ in range(60):
        quantizer(torch.randn(16, 3, 16))
    z = torch.randn(16, 3, 16)
    indices = quantizer.eval()(z).indices
    errors = [(quantizer.decode(indices, levels=k) - z).square().mean().item() for k in (1, 2, 3, 4)]
    assert all(later < 0.6 * earlier for earlier, later in itertools.pairwise(errors)), errors


@pytest.mark.parametrize("levels", [[5], [8], [3, 4, 7]])
def test_cells_of_scalars_are_cut_in_equal_parts(levels: list[int]) -> None:
    """n levels of L are L^n cells: the error is at most half of one, and uniform."""
    dim = len(levels)
    quantizer = ResidualQuantizer(lambda: FSQ(levels, dim), levels=3).eval()
    inner: FSQ = quantizer.inners[0]  # type: ignore[assignment]
    z = torch.randn(20_000, dim)
    squashed = inner.squash(z)
    indices = quantizer(z).indices
    for depth in (1, 2, 3):
        error = (quantizer.decode(indices, levels=depth) - squashed).abs()
        cell = 1 / (inner.levels // 2 * inner.levels ** (depth - 1))
        assert ((error / cell).amax(0) <= 0.5 + 1e-3).all()
        # the outermost cells of the first level are half empty
        torch.testing.assert_close(
            (error / cell).square().mean(0), torch.full((dim,), 1 / 12), rtol=0.15, atol=0
        )
    used = [indices[:, 2].unique()]
    assert len(used[0]) > 0.9 * inner.codebook_sizes[0]


@pytest.mark.parametrize("make", [lambda: LFQ(4), lambda: BSQ(4)])
def test_bits_are_worth_half_the_ones_before(make: Callable[[], Any]) -> None:
    quantizer = ResidualQuantizer(make, levels=3).eval()
    z = 0.5 * torch.randn(500, 4)
    target = quantizer.inners[0].squash(z)  # type: ignore[operator]
    bits = quantizer.inners[0](torch.ones(1, 4)).quantized.max()
    indices = quantizer(z).indices
    said = torch.zeros(500, 4)
    for level in range(3):
        said = said + bits * 0.5**level * torch.where(target > said, 1.0, -1.0)
        torch.testing.assert_close(quantizer.decode(indices, levels=level + 1), said)


def test_codes_that_learn_from_what_is_passed_on_get_the_gradient_of_the_sum() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(lambda: VectorQuantizer(7, 4, gradient="diveq"), levels=2)
    quantizer(torch.randn(50, 4))
    z, upstream = torch.randn(50, 4, requires_grad=True), torch.randn(50, 4)
    output = quantizer(z)
    (output.quantized * upstream).sum().backward()
    torch.testing.assert_close(z.grad, upstream)
    for level, one in enumerate(quantizer.inners):
        expected = torch.zeros(7, 4).index_add_(0, output.indices[:, level], upstream)
        torch.testing.assert_close(one.codebook.grad, expected)


@pytest.mark.parametrize("make", [lambda: IBQ(16, 3), lambda: SimVQ(16, 3), lambda: VectorQuantizer(16, 3)])
def test_levels_of_other_codebooks_get_finer_too(make: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(make, levels=3)
    optimizer = torch.optim.Adam(quantizer.parameters(), 1e-2)
    for _ in range(80):
        z = torch.randn(64, 3)
        output = quantizer(z)
        optimizer.zero_grad()
        ((output.quantized - z).square().mean() + output.loss).backward()
        optimizer.step()
    z = torch.randn(500, 3)
    indices = quantizer.eval()(z).indices
    errors = [(quantizer.decode(indices, levels=k) - z).square().mean().item() for k in (1, 2, 3)]
    assert all(later < 0.7 * earlier for earlier, later in itertools.pairwise(errors)), errors


def _dropping(levels: int = 4, dropout: float = 0.5) -> ResidualQuantizer:
    torch.manual_seed(0)
    return ResidualQuantizer(lambda: EMAVectorQuantizer(9, 3, decay=0.5), levels, dropout=dropout)


def test_samples_are_cut_short_by_chance() -> None:
    quantizer = _dropping(dropout=0.8)
    depths = torch.cat([_depths(quantizer(torch.randn(64, 3, 2)).indices) for _ in range(40)])
    share = depths.bincount(minlength=5)[1:] / len(depths)
    # 0.8 of them uniform on 1, ..., 4, the others whole; 2560 samples: a standard deviation of 0.008
    torch.testing.assert_close(share, torch.tensor([0.2, 0.2, 0.2, 0.4]), rtol=0, atol=0.035)
    whole = quantizer.eval()(torch.randn(64, 3, 2)).indices
    assert whole.min() >= 0


def _depths(indices: Tensor) -> Tensor:
    """Levels of every sample [B] of indices [B, levels, positions], which has as many everywhere."""
    there = indices >= 0
    assert (there == there[:, :, :1]).all()
    assert (there.long().diff(dim=1) <= 0).all(), "the first ones"
    return there[:, :, 0].sum(1)


def test_dropped_levels_take_part_in_nothing() -> None:
    quantizer, z = _dropping(), torch.randn(32, 3, 5, requires_grad=True)
    quantizer(torch.randn(32, 3, 5))
    before = copy.deepcopy(quantizer).eval()
    output = quantizer(z)
    depths = _depths(output.indices)
    whole = before(z.detach())
    losses = []
    for level in range(4):
        has = depths > level
        assert torch.equal(output.indices[has][:, level], whole.indices[has][:, level])
        said = before.decode(whole.indices, levels=level + 1)
        assert torch.equal(output.quantized[depths == level + 1], said[depths == level + 1])
        left = (z.detach() - said)[has]
        losses.append(left.square().mean())
        counts = output.indices[has][:, level].flatten().bincount(minlength=9)
        assert output.metrics[f"codes_used_level_{level + 1}"] == (counts > 0).sum()
        old, new = _counts(before, level), _counts(quantizer, level)
        seen = 2 * new - old  # decay is a half
        unless_restarted = new != new.sum() / 9
        torch.testing.assert_close(seen[unless_restarted], counts.float()[unless_restarted])
    torch.testing.assert_close(output.loss, 0.25 * torch.stack(losses).mean())
    torch.testing.assert_close(quantizer.eval().decode(output.indices).shape, z.shape)


def _counts(quantizer: ResidualQuantizer, level: int) -> Tensor:
    one: EMAVectorQuantizer = quantizer.inners[level]  # type: ignore[assignment]
    return one.count


def test_a_cut_sample_decodes_to_what_it_says() -> None:
    quantizer = _started().eval()
    indices = quantizer.encode(torch.randn(6, 4, 5))
    cut = indices.clone()
    cut[2, 1:], cut[4, 2:], cut[5, :, 3] = -1, -1, -1
    found = quantizer.decode(cut)
    assert torch.equal(found[2], quantizer.decode(indices, levels=1)[2])
    assert torch.equal(found[4], quantizer.decode(indices, levels=2)[4])
    assert torch.equal(found[5, :, 3], torch.zeros(4))
    assert torch.equal(found[:2], quantizer.decode(indices)[:2])


def test_depths_go_on_after_a_checkpoint() -> None:
    one, other = _dropping(), _dropping()
    for _ in range(3):
        one(torch.randn(32, 3))
    other.load_state_dict(one.state_dict())
    z = torch.randn(32, 3)
    first = one(z).indices
    assert torch.equal(other(z).indices, first)
    assert not torch.equal(one(z).indices < 0, first < 0), "each batch has its own"


_TWO_RANKS = """
    from ganvas.model.quantizer.residual import ResidualQuantizer
    from ganvas.model.quantizer.grouped import GroupedQuantizer
    from ganvas.model.quantizer.vq import VectorQuantizer
    from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

    torch.manual_seed(0)
    own = ResidualQuantizer(lambda: EMAVectorQuantizer(9, 3, decay=0.5), 3, dropout=0.5)
    shared = ResidualQuantizer(lambda: VectorQuantizer(9, 3, restart_after=2), 3, shared=True, dropout=0.5)
    groups = GroupedQuantizer(lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(9, 1), 2, dropout=0.5), 3)
    result = []
    for quantizer in (own, shared, groups):
        for _ in range(5):
            z = torch.randn(16, 3, 4)[8 * rank : 8 * rank + 8].requires_grad_(True)
            output = quantizer(z)
            output.loss.backward()
        result.append({"state": dict(quantizer.state_dict()), "metrics": output.metrics,
                       "z": z.grad, "indices": output.indices, "loss": output.loss.detach()})
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_TWO_RANKS)
    names: dict[str, Any] = {"torch": torch, "rank": 0}
    exec(textwrap.dedent(_TWO_RANKS.replace("[8 * rank : 8 * rank + 8]", "")), names)
    for one, *ranks in zip(names["result"], *results, strict=True):
        for found in ranks:
            torch.testing.assert_close(found["state"], one["state"])
            for name in one["metrics"].keys() - {"commitment_loss", "codebook_loss"}:
                torch.testing.assert_close(found["metrics"][name], one["metrics"][name])
        assert torch.equal(torch.cat([found["indices"] for found in ranks]), one["indices"])
        torch.testing.assert_close(torch.cat([found["z"] for found in ranks]) / 2, one["z"])
        torch.testing.assert_close(torch.stack([found["loss"] for found in ranks]).mean(), one["loss"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, "levels=0: must be at least 1"),
        ({"dropout": 1.5}, r"dropout=1.5: must be in \[0, 1\]"),
        ({"embedding_dim": 5}, "embedding_dim=5: must be 3, the inner quantizer's"),
        ({"inner": lambda: EMAVectorQuantizer(1, 3)}, "inner.num_embeddings=1: must be at least 2"),
        ({"inner": lambda: GumbelQuantizer(9, 3)}, "inner=GumbelQuantizer: its codes do not come near"),
        ({"inner": lambda: CosineQuantizer(9, 3, code_dim=None)}, "inner=CosineQuantizer: its codes do not"),
        ({"inner": lambda: torch.nn.ReLU()}, "inner=ReLU: must make a quantizer"),
        ({"inner": lambda: _started()}, "inner=ResidualQuantizer: has levels of its own"),
        (
            {"inner": lambda: SimVQ(9, 3, gradient="rotation")},
            "inner.gradient=rotation: would change nothing",
        ),
        (
            {"inner": lambda: GroupedQuantizer(lambda: EMAVectorQuantizer(9, 3, gradient="rotation"))},
            "inner.inner.gradient=rotation: would change nothing, .*; leave it at straight_through",
        ),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ResidualQuantizer(**({"inner": lambda: EMAVectorQuantizer(9, 3)} | options))


def test_an_error_of_the_first_batch_names_the_inner_option() -> None:
    def grouped() -> GroupedQuantizer:
        return GroupedQuantizer(lambda: EMAVectorQuantizer(8, 3, start="kmeans"), groups=2)

    quantizer = ResidualQuantizer(grouped, levels=2)
    before = copy.deepcopy(quantizer.state_dict())
    with pytest.raises(OptionError, match=r"^inner.inner.start=kmeans: needs .* codes, 8, and has 7; take"):
        quantizer(torch.randn(7, 6))
    with pytest.raises(OptionError, match=r"^inner.inner.start=kmeans: needs .* codes, 8, and has 5; take"):
        quantizer.require_vectors(5)
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())
    quantizer.require_vectors(8)


def test_it_says_what_its_inner_one_says() -> None:
    quantizer: Quantizer = _started()
    assert (quantizer.losses, quantizer.num_cuts) == (VectorQuantizer.losses, 3)
    assert quantizer.codebook_sizes == (7, 7, 7)
    for levels in (0, 4):
        with pytest.raises(OptionError, match=f"levels={levels}: must be 1 to 3"):
            quantizer.decode(torch.zeros(2, 3, dtype=torch.int64), levels=levels)


def test_large_numbers_in_finer_steps_stay_finite() -> None:
    """What a program makes of them, in which what is left over is part of what is passed on."""
    quantizer, z = ResidualQuantizer(lambda: LFQ(embedding_dim=4), levels=3).eval(), torch.full((2, 4), 1e38)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, that tracing is old
        traced = torch.jit.trace(lambda z: quantizer(z).quantized, z, check_trace=False)
    torch.testing.assert_close(traced(z), torch.full((2, 4), 1.75))


def test_k_means_takes_all_vectors_whatever_dropout_says() -> None:
    """20 vectors for 20 codes: the second level has one for what each of them leaves over."""
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(
        lambda: EMAVectorQuantizer(20, 2, start="kmeans", restart_threshold=0), levels=2, dropout=1.0
    )
    quantizer.inners[0].set_codes(torch.randn(20, 2))
    z = torch.randn(20, 2)
    quantizer.require_vectors(20)
    first, second = quantizer.inners
    left_over = z - first.look_up(first.search(z))
    quantizer(z, torch.zeros(20, dtype=torch.bool))  # makes none
    assert second.batches == 0
    made: list[Tensor] = []
    put = second.put
    second.put = lambda codes, counts=None: (made.append(codes), put(codes, counts))[1]
    assert (quantizer(z).indices[:, 1] == -1).any()
    torch.testing.assert_close(made[0].sort(0).values, left_over.sort(0).values)
    with pytest.raises(OptionError, match="has 19"):
        quantizer.require_vectors(19)

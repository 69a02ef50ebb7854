from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganvas.functional import host_search
from ganvas.functional.nearest import most_similar_code, nearest_code

PRODUCTS = ("aten::addmm", "aten::mm", "mkldnn::_linear_pointwise")


def _by_definition(rows: Tensor, codebook: Tensor) -> Tensor:
    return (rows.double()[:, None] - codebook.double()[None]).square().sum(2).argmin(1)


@pytest.mark.parametrize(("num_rows", "num_codes"), [(1, 1), (7, 1), (1000, 37), (513, 512)])
def test_it_is_the_least_distance(num_rows: int, num_codes: int) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(num_rows, 5), torch.randn(num_codes, 5) * torch.rand(num_codes, 1) * 3
    indices = nearest_code(rows, codebook)
    assert indices.dtype == torch.int64
    assert torch.equal(indices, _by_definition(rows, codebook))


@pytest.mark.parametrize("scores", [1, 100, 37 * 64 + 5, 10**6])  # bytes of a block
@pytest.mark.parametrize("operand", [1, 64, 300, 10**6])
@pytest.mark.parametrize("apart", [0.0, 1e4])
def test_blocks_do_not_matter(
    scores: int, operand: int, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(200, 4), torch.randn(37, 4)
    rows[::2, 1] += apart  # most of these rows are searched again, in float64
    codebook[::2, 1] += apart
    codebook[30:33] = codebook[3]  # equal ones in other blocks
    similar = (rows.double() @ codebook.double().T).argmax(1)
    monkeypatch.setattr(host_search, "_SCORES", scores)
    monkeypatch.setattr(host_search, "_OPERAND", operand)
    assert torch.equal(nearest_code(rows, codebook), _by_definition(rows, codebook))
    if not apart:
        assert torch.equal(most_similar_code(rows, codebook), similar)


def test_many_codes() -> None:
    """More than a block of codes; equal ones in two blocks, and rows in doubt whose rival is in another."""
    torch.manual_seed(0)
    codebook, rows = torch.randn(9000, 3), torch.randn(400, 3)
    codebook[::2, 0] += 1e4
    codebook[8000] = codebook[1]
    rows[::2, 0] += 1e4
    rows[1] = codebook[8000] + 1e-3
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.005
    assert loss < 1e-3
    assert nearest_code(rows, codebook)[1].item() == 1


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_most_similar_code_has_the_largest_product(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    # whole numbers are exact, so that equal products are equal, whatever is subtracted
    rows = torch.randint(-9, 10, (700, 6), dtype=kind)
    codebook = torch.randint(-9, 10, (3000, 6), dtype=kind) + 100
    products = rows @ codebook.T
    found = most_similar_code(rows, codebook)
    assert torch.equal(found, products.argmax(1))
    assert not torch.equal(found, nearest_code(rows, codebook))
    assert (products == products.amax(1, keepdim=True)).sum(1).max() > 1


@pytest.mark.parametrize("search", [nearest_code, most_similar_code])
def test_torchs_operators_alone_find_the_same(search: Callable[[Tensor, Tensor], Tensor]) -> None:
    """As in a program that is exported, and within torch.func.grad, where a tensor has no array."""
    torch.manual_seed(0)
    rows, codebook = torch.randn(300, 8), torch.randn(64, 8) + 3

    def total(rows: Tensor) -> Tensor:
        codes = codebook[search(rows, codebook)]
        return (rows - codes).square().sum()

    slope = torch.func.grad(total)(rows)
    assert torch.equal(slope, 2 * (rows - codebook[search(rows, codebook)]))

    class Search(torch.nn.Module):
        def forward(self, rows: Tensor, codebook: Tensor) -> Tensor:
            return search(rows, codebook)

    exported = torch.export.export(Search(), (rows, codebook)).module()
    assert torch.equal(exported(rows, codebook), search(rows, codebook))


@pytest.mark.parametrize("search", [nearest_code, most_similar_code])
def test_no_rows(search: Callable[[Tensor, Tensor], Tensor]) -> None:
    found = search(torch.empty(0, 3), torch.randn(5, 3))
    assert found.shape == (0,)
    assert found.dtype == torch.int64


@pytest.mark.parametrize("mean", [0.0, 100.0, 1000.0])
def test_a_mean_far_from_zero_flips_no_code(mean: float) -> None:
    torch.manual_seed(0)
    # sixteenths are exact in float32 at every one of these means, so the truth is the same at all
    rows, codebook = torch.randint(-64, 64, (2000, 8)) / 16, torch.randint(-64, 64, (256, 8)) / 16
    distance = (rows[:, None] - codebook[None]).square().sum(2)
    found = nearest_code(rows + mean, codebook + mean)
    chosen = distance.gather(1, found[:, None]).squeeze(1)
    plain = ((rows + mean) @ (codebook + mean).T - (codebook + mean).square().sum(1) / 2).argmax(1)
    if mean == 1000:  # the trap: without the subtraction many codes are wrong
        assert (distance.gather(1, plain[:, None]).squeeze(1) > distance.amin(1)).float().mean() > 0.05
    assert torch.equal(chosen, distance.amin(1))


def test_it_is_float32_within_autocast() -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(2000, 16), torch.randn(256, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wrong = (rows @ codebook.T - codebook.square().sum(1) / 2).argmax(1)
        found = nearest_code(rows, codebook)
    assert torch.equal(found, _by_definition(rows, codebook))
    assert not torch.equal(found, wrong)


def test_no_gradient_and_half_rows() -> None:
    rows = torch.tensor([[0.9, 0.0], [0.0, -2.0]], dtype=torch.bfloat16, requires_grad=True)
    codebook = torch.tensor([[0.0, -1.0], [1.0, 0.0]], requires_grad=True)
    assert nearest_code(rows, codebook).tolist() == [1, 0]


def _regret(rows: Tensor, codebook: Tensor) -> tuple[float, float]:
    """Share of rows with another code than an exhaustive float64 search's; the largest relative loss."""
    distance = (rows.double()[:, None] - codebook.double()[None]).square().sum(2)
    found = distance.gather(1, nearest_code(rows, codebook)[:, None]).squeeze(1)
    best = distance.amin(1)
    return (found > best).float().mean().item(), (found / best - 1).max().item()


@pytest.mark.parametrize("far", [1e4, 1e5])
def test_one_far_code_flips_no_other(far: float) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(512, 8)
    codebook[100, 3] = far
    rows[7, 3] = far + 2
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.001, "float32 tells two codes apart that differ by a millionth, or else takes either"
    assert loss < 1e-5
    assert nearest_code(rows, codebook)[7].item() == 100


def test_an_offset_dimension_flips_no_code() -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(512, 8)
    rows[:, 2] += 1000
    codebook[:, 2] += 1000
    codebook[5, 6] = -1e4
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.001
    assert loss < 1e-5


@pytest.mark.parametrize("apart", [1e3, 1e4, 1e5])
def test_clusters_that_are_far_apart(apart: float) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(257, 8)
    rows[::2, 1] += apart
    codebook[::2, 1] += apart
    codebook[3], rows[:9] = 0.0, torch.randn(9, 8) * 1e-4  # and rows on a code, as good as
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.001
    assert loss < 1e-3


def test_one_far_code_flips_no_other_where_nothing_is_searched_again() -> None:
    """As on an accelerator: a program that torch.export makes asks nothing either."""
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(512, 8)
    codebook[100] = 1e5

    class Search(torch.nn.Module):
        def forward(self, rows: Tensor, codebook: Tensor) -> Tensor:
            return nearest_code(rows, codebook)

    found = torch.export.export(Search(), (rows, codebook)).module()(rows, codebook)
    assert (found != _by_definition(rows, codebook)).float().mean() < 0.001  # most about the mean


def test_vectors_of_a_plain_background_are_not_searched_twice() -> None:
    """All on a code of their own: nothing else comes near, whatever rounding does."""
    torch.manual_seed(0)
    codebook = torch.randn(64, 8)
    rows = torch.cat([codebook[7].expand(500, 8), torch.randn(500, 8)])
    with torch.profiler.profile() as profile:
        found = nearest_code(rows, codebook)
    assert torch.equal(found, _by_definition(rows, codebook))
    products = [event for event in profile.events() if event.name in PRODUCTS]
    assert len(products) == 1


def test_double_is_searched_in_double() -> None:
    codebook = torch.tensor([[1.0], [1.0 + 1e-9], [1.0 + 2e-9]], dtype=torch.float64)
    assert nearest_code(codebook + 2e-10, codebook).tolist() == [0, 1, 2]


_PEAK = """
import re, sys, torch
from pathlib import Path
from ganvas.functional.nearest import nearest_code

def held(kind):
    return int(re.search(kind + r":\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024

num_rows, size, num_codes, apart = (int(word) for word in sys.argv[1:])
torch.set_num_threads(1)
rows, codebook = torch.randn(num_rows, size), torch.randn(num_codes, size)
rows[::2], codebook[::2] = rows[::2] + apart, codebook[::2] + apart
nearest_code(rows[:512], codebook[:256])  # what a first call loads does not count
few = torch.randn(64, size, dtype=torch.float64)
torch.addmm(few[:, 0].clone(), few, few.T)
before = held("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
nearest_code(rows, codebook)
print(held("VmHWM") - before - num_rows * 8 / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak of a stretch")
@pytest.mark.parametrize("apart", [0, 10_000])  # far apart, all rows are searched again in float64
@pytest.mark.parametrize(
    ("num_rows", "size", "num_codes"), [(65_536, 64, 1024), (16_384, 256, 1024), (256, 64, 262_144)]
)
def test_memory_is_bounded(num_rows: int, size: int, num_codes: int, apart: int) -> None:
    words = [str(number) for number in (num_rows, size, num_codes, apart)]
    done = subprocess.run([sys.executable, "-c", _PEAK, *words], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10  # MiB; 8, and what the allocator rounds up. The scores: 256 MiB


def test_the_scores_are_never_held_whole() -> None:
    rows, codebook = torch.zeros(40_000, 2), torch.randn(4096, 2)  # 655 MB of scores, all in doubt
    with torch.profiler.profile(profile_memory=True) as profile:
        nearest_code(rows, codebook)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest <= 4 * 2**20

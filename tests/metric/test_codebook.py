"""Code usage against entropies written out, and over ranks."""

from __future__ import annotations

import math
import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ganvas.errors import OptionError
from ganvas.metric.codebook import CodeUsage


def test_perplexity_is_the_exponential_of_the_entropy() -> None:
    metric = CodeUsage([8])
    metric.update([torch.tensor([[0, 0], [1, 0]])])
    metric.update([torch.tensor([5, 5, 0, 0])])
    shares = [5 / 8, 1 / 8, 2 / 8]
    values = {name: value.item() for name, value in metric.compute().items()}
    assert values["perplexity"] == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)), rel=1e-12)
    assert (values["codes_used"], values["dead_codes"]) == (3, 5)
    assert values["code_usage"] == pytest.approx(3 / 8)


def test_bounds() -> None:
    uniform, single = CodeUsage([7]), CodeUsage([7])
    uniform.update([torch.arange(7).repeat(3)])
    single.update([torch.full((4, 2, 2), 6)])
    assert uniform.compute()["perplexity"].item() == pytest.approx(7.0, rel=1e-12)
    assert uniform.compute()["code_usage"].item() == 1.0
    assert single.compute()["perplexity"].item() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_seen_is_nothing_used() -> None:
    assert {name: value.item() for name, value in CodeUsage([4]).compute().items()} == {
        "perplexity": 0.0,
        "codes_used": 0.0,
        "code_usage": 0.0,
        "dead_codes": 4.0,
    }


def test_a_size_below_one_is_refused() -> None:
    for sizes in ([0], [], [4, 0]):
        with pytest.raises(OptionError, match="codebook_sizes="):
            CodeUsage(sizes)


def _rank(rank: int, port_file: str, results: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{port_file}", rank=rank, world_size=2)
    metric = CodeUsage([4])
    metric.update([torch.tensor([0, 0, 1]) if rank == 0 else torch.tensor([0, 2])])
    torch.save(metric.compute()["perplexity"], f"{results}.{rank}")
    dist.destroy_process_group()


def test_ranks_sum_their_counts_before_the_entropy(tmp_path: os.PathLike[str]) -> None:
    """Counts [3, 1, 1, 0]; a mean of the ranks' own perplexities would be (1.89 + 2) / 2."""
    mp.spawn(_rank, args=(os.path.join(tmp_path, "meet"), os.path.join(tmp_path, "made")), nprocs=2)
    expected = math.exp(-0.6 * math.log(0.6) - 2 * 0.2 * math.log(0.2))
    for rank in (0, 1):
        made = torch.load(os.path.join(tmp_path, f"made.{rank}"), weights_only=True).item()
        assert made == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("wrong", [-1, 4, 2**40])
def test_an_index_out_of_range_is_refused(wrong: int) -> None:
    usage = CodeUsage([4])
    with pytest.raises(ValueError, match=rf"indices hold {wrong}: each must be in \[0, 4\)"):
        usage.update([torch.tensor([0, wrong])])
    usage.update([torch.empty(0, dtype=torch.int64)])
    assert usage.compute()["codes_used"] == 0


def test_levels_each_and_their_mean() -> None:
    metric = CodeUsage([4, 2**40])
    metric.update([torch.tensor([[0, 1], [2, 3]]), torch.tensor([[7, 7], [7, 2**39]])])
    metric.update([torch.tensor([0, 1]), torch.tensor([7, 5])])
    values = {name: value.item() for name, value in metric.compute().items()}
    entropies = [
        -sum(p * math.log(p) for p in shares)
        for shares in ([2 / 6, 2 / 6, 1 / 6, 1 / 6], [4 / 6, 1 / 6, 1 / 6])
    ]
    each = [math.exp(entropy) for entropy in entropies]
    assert [values["perplexity_level_1"], values["perplexity_level_2"]] == pytest.approx(each, rel=1e-12)
    assert values["perplexity"] == pytest.approx(sum(each) / 2, rel=1e-12)
    assert (values["codes_used_level_1"], values["codes_used_level_2"], values["codes_used"]) == (4, 3, 3.5)
    assert values["code_usage_level_2"] == 3 / 2**40
    with pytest.raises(ValueError, match="zip"):
        metric.update([torch.tensor([0])])

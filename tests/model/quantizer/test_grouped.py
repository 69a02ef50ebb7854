from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.grouped import GroupedQuantizer
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


def _of_residuals() -> GroupedQuantizer:
    torch.manual_seed(0)
    return GroupedQuantizer(lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(8, 2), levels=3), groups=2)


def test_each_part_has_a_quantizer_of_its_own() -> None:
    torch.manual_seed(0)
    quantizer = GroupedQuantizer(lambda: VectorQuantizer(8, 2), groups=3)
    alone = [copy.deepcopy(one) for one in quantizer.inners]
    for _ in range(3):
        z, upstream = torch.randn(10, 6, 5), torch.randn(10, 6, 5)
        whole = z.clone().requires_grad_(True)
        output = quantizer(whole)
        (output.loss + (output.quantized * upstream).sum()).backward()
        parts = [part.clone().requires_grad_(True) for part in z.chunk(3, dim=1)]
        each = [one(part) for one, part in zip(alone, parts, strict=True)]
        for one, up in zip(each, upstream.chunk(3, dim=1), strict=True):
            (one.loss / 3 + (one.quantized * up).sum()).backward()
        assert torch.equal(output.quantized, torch.cat([one.quantized for one in each], dim=1))
        assert torch.equal(output.indices, torch.cat([one.indices for one in each], dim=1))
        torch.testing.assert_close(output.loss, sum(one.loss for one in each) / 3)
        torch.testing.assert_close(whole.grad, torch.cat([part.grad for part in parts], dim=1))  # type: ignore[misc]
        for number, one in enumerate(each, 1):
            assert torch.equal(output.metrics[f"perplexity_level_{number}"], one.metrics["perplexity"])
    assert quantizer.codebook_sizes == (8, 8, 8)
    assert quantizer.num_cuts == 1


def test_parts_with_one_code_each_cannot_be_cut() -> None:
    quantizer = GroupedQuantizer(lambda: VectorQuantizer(8, 2), groups=3)
    indices = torch.zeros(4, 3, dtype=torch.int64)
    assert torch.equal(quantizer.decode(indices, levels=1), quantizer.decode(indices))
    with pytest.raises(OptionError, match="levels=2: must be 1"):
        quantizer.decode(indices, levels=2)
    with pytest.raises(ValueError, match="2 levels: must be a multiple of 3 groups"):
        quantizer.decode(indices[:, :2])
    indices[1, 2] = -1
    with pytest.raises(ValueError, match="-1 at some levels"):
        quantizer.decode(indices)


def test_groups_of_levels_are_cut_at_a_level_of_all_groups() -> None:
    quantizer = _of_residuals()
    z = torch.randn(10, 4, 5)
    for _ in range(3):
        quantizer(z)
    indices = quantizer.eval()(z).indices
    assert indices.shape == (10, 6, 5)
    assert quantizer.num_cuts == 3
    for levels in (1, 2, 3):
        each = [
            one.decode(one.encode(part), levels=levels)  # type: ignore[operator]
            for one, part in zip(quantizer.inners, z.chunk(2, dim=1), strict=True)
        ]
        for found in (
            quantizer.decode(indices, levels=levels),
            quantizer.decode(indices[:, : 2 * levels]),
        ):
            assert torch.equal(found, torch.cat(each, dim=1))


def test_groups_drop_the_same_levels_of_a_sample() -> None:
    torch.manual_seed(0)
    quantizer = GroupedQuantizer(
        lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(8, 2), levels=3, dropout=0.9), groups=2
    )
    there = (
        quantizer(torch.randn(40, 4, 5)).indices.unflatten(1, (3, 2)) >= 0
    )  # [B, levels, groups, positions]
    assert torch.equal(there[:, :, 0], there[:, :, 1])
    assert set(there[:, :, 0, 0].sum(1).tolist()) == {1, 2, 3}


def test_residuals_of_groups_are_finer_scalars_too() -> None:
    torch.manual_seed(0)
    grouped = ResidualQuantizer(lambda: GroupedQuantizer(lambda: FSQ([5, 4], 2), groups=2), levels=3).eval()
    plain = ResidualQuantizer(lambda: FSQ([5, 4, 5, 4], 4), levels=3).eval()
    z = torch.randn(50, 4)
    indices = grouped(z).indices
    assert indices.shape == (50, 6)
    for levels in (1, 2, 3):
        found = grouped.decode(indices, levels=levels)
        assert torch.equal(found, plain.decode(plain.encode(z), levels=levels))
    with pytest.raises(ValueError, match="3 levels: must be a multiple of 2"):
        grouped.decode(indices[:, :3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 0}, "groups=0: must be at least 1"),
        ({"embedding_dim": 7}, "embedding_dim=7: must be 6, 2 groups of the inner quantizer's 3"),
        ({"inner": lambda: EMAVectorQuantizer(9, 0)}, "inner.embedding_dim=0: must be at least 1"),
        ({"inner": lambda: "vq"}, "inner=str: must make a quantizer"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        GroupedQuantizer(**({"inner": lambda: EMAVectorQuantizer(9, 3)} | options))

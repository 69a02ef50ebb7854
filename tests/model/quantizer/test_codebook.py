"""Codes in a table, however they come into it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

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

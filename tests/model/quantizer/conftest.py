"""One of every quantizer; an option in conf/model/quantizer without a line here fails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.grouped import GroupedQuantizer
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

BUILD: dict[str, Callable[[], Quantizer]] = {
    "grouped": lambda: GroupedQuantizer(
        lambda: VectorQuantizer(num_embeddings=11, embedding_dim=1), groups=3
    ),
    "residual": lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(11, embedding_dim=3), levels=3),
    "fsq": lambda: FSQ([5, 4, 3], embedding_dim=3),
    "vq": lambda: VectorQuantizer(num_embeddings=11, embedding_dim=3),
    "vq_ema": lambda: EMAVectorQuantizer(num_embeddings=11, embedding_dim=3),
}
OF_MAPS = {"multiscale"}  # takes square maps of one size alone; its own file asks the same of it
OPTIONS = sorted(
    path.stem
    for path in (Path(__file__).parents[3] / "conf/model/quantizer").glob("*.yaml")
    if path.stem not in OF_MAPS
)


@pytest.fixture(params=OPTIONS)
def build(request: pytest.FixtureRequest) -> Callable[[], Quantizer]:
    """Makes a new one, of 3 dimensions."""
    return BUILD[request.param]


@pytest.fixture
def quantizer(build: Callable[[], Quantizer]) -> Quantizer:
    """In eval mode, after a few batches of training."""
    torch.manual_seed(0)
    built = build()
    for _ in range(3):
        built(torch.randn(8, 3, 7))
    return built.eval()


@pytest.fixture
def all_indices(quantizer: Quantizer) -> Tensor:
    """int64 [N, levels]: all combinations of the levels' codes, or 1,000 of very many."""
    sizes = quantizer.codebook_sizes
    if math.prod(sizes) <= 4096:
        return torch.tensor(list(itertools.product(*(range(size) for size in sizes))))
    number = torch.arange(1000) * 7919 * 2**31 + torch.arange(1000)
    return torch.stack([number * (2 * level + 1) % size for level, size in enumerate(sizes)], dim=1)

"""One of every quantizer; an option in conf/model/quantizer without a line here fails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.simvq import SimVQ
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

_ENTROPY = {"entropy_cost": 0.2, "entropy_temperature": 1.0}
BUILD: dict[str, Callable[[], Quantizer]] = {
    "cosine": lambda: CosineQuantizer(num_embeddings=11, embedding_dim=3, code_dim=2),
    "fsq": lambda: FSQ([5, 4, 3], embedding_dim=3),
    "simvq": lambda: SimVQ(num_embeddings=11, embedding_dim=3),
    "vq": lambda: VectorQuantizer(num_embeddings=11, embedding_dim=3),
    "vq, entropy and rotation": lambda: VectorQuantizer(11, 3, gradient="rotation", **_ENTROPY),
    "vq_ema": lambda: EMAVectorQuantizer(num_embeddings=11, embedding_dim=3),
    "vq_ema, k-means and rotation": lambda: EMAVectorQuantizer(11, 3, gradient="rotation", start="kmeans"),
}
OPTIONS = sorted(path.stem for path in (Path(__file__).parents[3] / "conf/model/quantizer").glob("*.yaml"))


@pytest.fixture(params=sorted({*OPTIONS, *BUILD}))
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

"""One of every quantizer; an option in conf/model/quantizer without a line here fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganvas.model.quantizer.bsq import BSQ
from ganvas.model.quantizer.conformance.subject import ANY_POSITIONS, Subject
from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.grouped import GroupedQuantizer
from ganvas.model.quantizer.gumbel import GumbelQuantizer
from ganvas.model.quantizer.ibq import IBQ
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.lfq import LFQ
from ganvas.model.quantizer.multiscale import MultiscaleQuantizer
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.simvq import SimVQ
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

_ENTROPY = {"entropy_cost": 0.2, "entropy_temperature": 1.0}
BUILD: dict[str, Callable[[], Quantizer]] = {
    "multiscale": lambda: MultiscaleQuantizer(lambda: EMAVectorQuantizer(11, 3), sides=[1, 2, 4]),
    "cosine": lambda: CosineQuantizer(num_embeddings=11, embedding_dim=3, code_dim=2),
    "grouped": lambda: GroupedQuantizer(
        lambda: VectorQuantizer(num_embeddings=11, embedding_dim=1), groups=3
    ),
    "residual, dropout": lambda: ResidualQuantizer(
        lambda: VectorQuantizer(11, embedding_dim=3), levels=3, dropout=0.5
    ),
    "residual": lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(11, embedding_dim=3), levels=3),
    "fsq": lambda: FSQ([5, 4, 3], embedding_dim=3),
    "simvq": lambda: SimVQ(num_embeddings=11, embedding_dim=3),
    "bsq": lambda: BSQ(embedding_dim=3),
    "gumbel": lambda: GumbelQuantizer(num_embeddings=11, embedding_dim=3),
    "ibq": lambda: IBQ(num_embeddings=11, embedding_dim=3),
    "lfq": lambda: LFQ(embedding_dim=3),
    "vq": lambda: VectorQuantizer(num_embeddings=11, embedding_dim=3),
    "vq, entropy and rotation": lambda: VectorQuantizer(11, 3, gradient="rotation", **_ENTROPY),
    "vq_ema": lambda: EMAVectorQuantizer(num_embeddings=11, embedding_dim=3),
    "vq_ema, k-means and rotation": lambda: EMAVectorQuantizer(11, 3, gradient="rotation", start="kmeans"),
}
# Options that change what is computed; of these the checks that compile or start processes are not asked.
VARIANTS: dict[str, Callable[[], Quantizer]] = {
    "vq, diveq": lambda: VectorQuantizer(11, 3, gradient="diveq"),
    "vq, orthogonal codes": lambda: VectorQuantizer(11, 3, orthogonal_cost=10.0),
    "cosine, orthogonal codes": lambda: CosineQuantizer(11, 3, code_dim=2, orthogonal_cost=10.0),
    "fsq, noise": lambda: FSQ([5, 4, 3], embedding_dim=3, noise=0.5),
    "fsq, equal cells": lambda: FSQ([5, 4, 3], embedding_dim=3, cells="equal"),
    "fsq, symmetric cells": lambda: FSQ([5, 4, 3], embedding_dim=3, cells="symmetric"),
    "gumbel, soft": lambda: GumbelQuantizer(11, embedding_dim=3, hard=False),
    "residual of lfq, dropout": lambda: ResidualQuantizer(lambda: LFQ(3), levels=3, dropout=0.5),
    "residual of fsq": lambda: ResidualQuantizer(lambda: FSQ([5, 4, 3], 3), levels=2),
    "grouped of residual": lambda: GroupedQuantizer(
        lambda: ResidualQuantizer(lambda: LFQ(embedding_dim=1), levels=2), groups=3
    ),
}
POSITIONS: dict[str, tuple[int, ...]] = {"multiscale": (4, 4)}  # of one that takes maps of one size alone
OPTIONS = sorted(path.stem for path in (Path(__file__).parents[3] / "conf/model/quantizer").glob("*.yaml"))


@pytest.fixture(params=sorted({*OPTIONS, *BUILD}))
def subject(request: pytest.FixtureRequest) -> Subject:
    """Makes new ones, of 3 dimensions."""
    name = request.param
    return Subject(BUILD[name], positions=[POSITIONS[name]] if name in POSITIONS else ANY_POSITIONS)


@pytest.fixture(params=sorted(VARIANTS))
def variant(request: pytest.FixtureRequest) -> Subject:
    """Makes new ones, of 3 dimensions, with options of ``VARIANTS``."""
    return Subject(VARIANTS[request.param])

"""One of every quantizer; an option in conf/model/quantizer without a line here fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganvas.model.quantizer.conformance.subject import ANY_POSITIONS, Subject
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

BUILD: dict[str, Callable[[], Quantizer]] = {
    "fsq": lambda: FSQ([5, 4, 3], embedding_dim=3),
    "vq": lambda: VectorQuantizer(num_embeddings=11, embedding_dim=3),
    "vq_ema": lambda: EMAVectorQuantizer(num_embeddings=11, embedding_dim=3),
}
POSITIONS: dict[str, tuple[int, ...]] = {}  # of a quantizer that takes maps of one size alone
OPTIONS = sorted(path.stem for path in (Path(__file__).parents[3] / "conf/model/quantizer").glob("*.yaml"))


@pytest.fixture(params=sorted({*OPTIONS, *BUILD}))
def subject(request: pytest.FixtureRequest) -> Subject:
    """Makes new ones, of 3 dimensions."""
    name = request.param
    return Subject(BUILD[name], positions=[POSITIONS[name]] if name in POSITIONS else ANY_POSITIONS)

from __future__ import annotations

import pytest
import torch
from games import play
from torch import Tensor

from ganvas.model.regularizer.bcr import BCR
from ganvas.model.regularizer.consistency import flip_and_shift, mean_square
from ganvas.model.regularizer.cr import CR
from ganvas.model.regularizer.interface import Regularizer
from ganvas.model.regularizer.zcr import ZCR


def test_the_square_of_half_numbers_is_computed_in_float32() -> None:
    """600^2 is beyond float16."""
    a = torch.tensor([300.0, 1.0], dtype=torch.float16)
    assert mean_square(a, -a).item() == (600.0**2 + 2.0**2) / 2
    wide = torch.tensor([1.0 + 2.0**-40], dtype=torch.float64)
    assert mean_square(wide, torch.ones(1, dtype=torch.float64)).item() == 2.0**-80


@pytest.mark.parametrize(
    ("one", "images"),
    [
        (CR(weight=1.0), 1),
        (BCR(real=1.0, fake=1.0), 2),
        (ZCR(discriminator_weight=1.0, generator_weight=0.0), 1),
    ],
    ids=["cr", "bcr", "zcr"],
)
def test_terms_of_half_logits_are_computed_in_float32(one: Regularizer, images: int) -> None:
    """As under autocast: D gives 300 at what it was shown, and -300 at what is changed."""
    half = torch.full((4,), 300.0, dtype=torch.float16)

    def discriminate(x: Tensor) -> Tensor:
        return -half

    term = one.discriminator(play(real_logits=half, fake_logits=half, discriminate=discriminate))
    assert term is not None
    assert term.item() == images * 600.0**2


def test_flips_and_shifts_move_pixels_and_change_none() -> None:
    """Each row of a changed ramp goes up or down by one, and mirrors at an edge."""
    game = play()
    x = torch.arange(64.0).view(1, 1, 8, 8).expand(32, 1, 8, 8)
    changed = flip_and_shift(x, game.draws, "test")
    assert set(changed.unique().tolist()) <= set(range(64))
    across = changed.diff(dim=3).abs().flatten(1)
    assert across.unique().tolist() == [1.0]  # a shift of one mirrors the neighbour of the edge
    flipped = (changed[:, 0, 4, 2] > changed[:, 0, 4, 5]).float().mean()
    assert 0.2 < flipped < 0.8
    assert len(changed[:, 0, 4, 4].unique()) > 4

from __future__ import annotations

import pytest
import torch
from games import play
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.regularizer.bcr import BCR
from ganvas.model.regularizer.consistency import flip_and_shift


def test_the_closed_form() -> None:
    game = play()
    squares = []
    for name, x in (("real", game.real), ("fake", game.fake)):
        changed = flip_and_shift(x, game.draws, f"bcr/{name}")
        squares.append((game.discriminate(x) - game.discriminate(changed)).square().mean().item())
    term = BCR(real=2.0, fake=0.5).discriminator(game)
    assert term.item() == pytest.approx(2.0 * squares[0] + 0.5 * squares[1], rel=1e-12)
    assert squares[0] != pytest.approx(squares[1], rel=0.01)


@pytest.mark.parametrize("option", ["real", "fake"])
def test_options_are_checked(option: str) -> None:
    with pytest.raises(OptionError, match=f"{option}=0"):
        BCR(**{option: 0.0})


def test_points_are_refused() -> None:
    with pytest.raises(OptionError, match="bcr"):
        BCR().check(nn.Identity(), torch.zeros(4, 2))

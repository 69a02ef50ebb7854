from __future__ import annotations

import pytest
import torch
from games import play
from torch import nn

from ganvas.errors import OptionError
from ganvas.functional.random import Draws
from ganvas.model.regularizer.consistency import flip_and_shift
from ganvas.model.regularizer.cr import CR


def test_the_closed_form() -> None:
    game = play()
    changed = flip_and_shift(game.real, game.draws, "cr")
    expected = (game.discriminate(game.real) - game.discriminate(changed)).square().mean()
    assert CR(2.5).discriminator(game).item() == pytest.approx(2.5 * expected.item(), rel=1e-12)
    assert expected > 1
    assert CR().generator(game) is None


def test_a_discriminator_that_says_the_same_everywhere_pays_nothing() -> None:
    game = play(discriminate=lambda x: x.flatten(1).sum(1) * 0 + 3, real_logits=torch.full((4,), 3.0))
    assert CR().discriminator(game).item() == 0


def test_each_image_is_flipped_or_not_and_moved_within_an_eighth() -> None:
    x = torch.arange(16.0 * 8).view(1, 1, 8, 16).expand(400, -1, -1, -1).contiguous()
    changed = flip_and_shift(x, Draws(3, 5), "cr")
    padded = nn.functional.pad(x[:1], (2, 2, 1, 1), mode="reflect")
    flipped = nn.functional.pad(x[:1].flip(3), (2, 2, 1, 1), mode="reflect")
    kinds = [
        one[0, :, i : i + 8, j : j + 16] for one in (padded, flipped) for i in range(3) for j in range(5)
    ]
    found = [next(n for n, kind in enumerate(kinds) if torch.equal(kind, image)) for image in changed]
    assert set(found) == set(range(30)), "every shift, flipped or not"
    counts = torch.bincount(torch.tensor(found), minlength=30)
    assert 140 < int(counts[:15].sum()) < 260, "half of them flipped"


def test_a_rank_changes_its_rows_as_one_process_does() -> None:
    x = torch.randn(6, 2, 8, 8)
    whole = flip_and_shift(x, Draws(3, 5), "cr")
    second = flip_and_shift(x[3:], Draws(3, 5, 1, 2), "cr")
    assert torch.equal(second, whole[3:])


def test_it_is_differentiable() -> None:
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda image: flip_and_shift(image, Draws(3, 5), "cr"), (x,))


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_options_are_checked(weight: float) -> None:
    with pytest.raises(OptionError, match=f"weight={weight}"):
        CR(weight)


def test_points_are_refused() -> None:
    with pytest.raises(OptionError, match=r"cr=\[2\]: changes images"):
        CR().check(nn.Identity(), torch.zeros(4, 2))

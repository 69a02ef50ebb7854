from __future__ import annotations

import pytest
import torch
from games import play

from ganvas.errors import OptionError
from ganvas.model.regularizer.zcr import ZCR


def test_both_closed_forms() -> None:
    """D and G are linear, so only the change of z counts: D(G(noise u)), and |A' noise u|^2 / 64."""
    game = play()
    change = game.generate(0.25 * game.draws.normal("zcr", 4, 3).double())
    one = ZCR(discriminator_weight=3.0, generator_weight=0.2, noise=0.25)
    discriminator, generator = one.discriminator(game), one.generator(game)
    assert discriminator is not None
    assert generator is not None
    expected = 3.0 * game.discriminate(change).square().mean()
    assert discriminator.item() == pytest.approx(expected.item(), rel=1e-12)
    assert generator.item() == pytest.approx(-0.2 * change.square().mean().item(), rel=1e-12)


def test_the_discriminators_term_moves_no_generator() -> None:
    game = play(fake_logits=torch.zeros(4, dtype=torch.float64))
    term = ZCR().discriminator(game)
    assert term is not None
    assert not term.requires_grad


def test_the_generators_term_drives_samples_apart() -> None:
    game = play()
    term = ZCR().generator(game)
    assert term is not None
    term.backward()  # no error: it has a graph through both samples
    assert term.item() < 0


def test_a_weight_of_zero_leaves_a_side_out() -> None:
    one = ZCR(discriminator_weight=0.0, generator_weight=0.0)
    assert one.discriminator(play()) is one.generator(play()) is None


@pytest.mark.parametrize(
    ("option", "value"), [("discriminator_weight", -1.0), ("generator_weight", -1.0), ("noise", 0.0)]
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        ZCR(**{option: value})

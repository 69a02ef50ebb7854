"""The boundary of a loss: where the discriminator puts what is as likely real as not."""

from __future__ import annotations

import pytest
import torch

from ganvas.model.adversarial_game import MeanLogits, statistics_of_logits
from ganvas.model.adversarial_loss.hinge import Hinge
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.adversarial_loss.least_squares import LeastSquares
from ganvas.model.adversarial_loss.non_saturating import NonSaturating
from ganvas.model.adversarial_loss.rpgan import RpGAN
from ganvas.model.adversarial_loss.saturating import Saturating
from ganvas.model.adversarial_loss.wasserstein import Wasserstein


@pytest.mark.parametrize(
    "loss",
    [Hinge(), LeastSquares(), NonSaturating(), RpGAN(), Saturating(), Wasserstein()],
    ids=lambda loss: type(loss).__name__,
)
def test_what_real_and_generated_samples_share_is_put_there(loss: AdversarialLoss) -> None:
    grid = torch.linspace(-3, 3, 241, dtype=torch.float64)
    values = torch.stack([loss.discriminator(real_logits=d[None], fake_logits=d[None]) for d in grid])
    best = grid[values < values.min() + 1e-9]
    if len(best) == len(grid):  # a common offset changes nothing
        assert loss.boundary is None
    else:  # the middle of a hinge's flat bottom
        assert loss.boundary == pytest.approx(best.mean().item(), abs=1e-6)


def test_signs_and_accuracy_are_taken_from_it() -> None:
    real, fake = torch.tensor([0.2, 0.6, 0.9, 1.3]), torch.tensor([-0.1, 0.1, 0.4, 0.7])
    means = MeanLogits(0.5)
    means.add(real, fake)
    assert [x.item() for x in means.take()] == pytest.approx([0.75, 0.275, 0.5])
    found = statistics_of_logits(real, fake, 0.5)
    assert (found["accuracy/real"].item(), found["accuracy/fake"].item()) == (0.75, 0.75)
    assert set(found) - set(statistics_of_logits(real, fake, None)) == {"accuracy/real", "accuracy/fake"}

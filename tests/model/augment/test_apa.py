from __future__ import annotations

import pytest
import torch

from ganvas.functional.random import Draws
from ganvas.model.augment.apa import APA

DRAWS = Draws(seed=3, step=4)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(2,), (1, 2, 2)])
def test_a_share_of_real_samples_is_replaced_by_their_own_rows(p: float, shape: tuple[int, ...]) -> None:
    real, fake = torch.randn(2, 2_000, *shape)
    shown = APA(p=p).replace(real, fake, DRAWS)
    replaced = (shown == fake).flatten(1).all(1)
    kept = (shown == real).flatten(1).all(1)
    assert (replaced != kept).all()
    deviation = (p * (1 - p) / 2_000) ** 0.5
    assert replaced.float().mean().item() == pytest.approx(p, abs=4 * deviation + 1e-9)


def test_samples_are_shown_as_they_are() -> None:
    x = torch.randn(4, 1, 3, 3)
    assert torch.equal(APA(p=1.0)(x, DRAWS, "real"), x)
    APA(p=1.0).check(torch.zeros(1, 2))  # any samples will do


def test_shares_of_a_batch_are_those_of_the_whole() -> None:
    real, fake = torch.randn(2, 8, 3)
    whole = APA(p=0.5).replace(real, fake, DRAWS)
    for shares in (
        [Draws(3, 4, rank, 2) for rank in range(2)],
        [DRAWS.part(number, 2) for number in range(2)],
    ):
        parts = [APA(p=0.5).replace(real[i * 4 :][:4], fake[i * 4 :][:4], shares[i]) for i in range(2)]
        assert torch.equal(torch.cat(parts), whole)
    other = APA(p=0.5).replace(real, fake, Draws(3, 5))
    assert not torch.equal(other, whole)


def test_types_and_shapes() -> None:
    real, fake = torch.randn(4, 3), torch.randn(4, 3).bfloat16()
    assert APA(p=1.0).replace(real, fake, DRAWS).dtype == torch.float32
    with pytest.raises(ValueError, match="must be of one shape"):
        APA(p=1.0).replace(real, fake[:, :2], DRAWS)

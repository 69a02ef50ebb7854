from __future__ import annotations

import pytest
import torch
from games import play

from ganvas.errors import OptionError
from ganvas.model.adversarial_game import Regularizers
from ganvas.model.regularizer.top_k import TopK

LOGITS = torch.tensor([0.5, -1.0, 3.0, 2.0])


def test_the_largest_logits_are_chosen_and_their_pairs() -> None:
    real = torch.tensor([10.0, 20.0, 30.0, 40.0])
    game = play(fake_logits=LOGITS, real_logits=real)
    found, fake, share = Regularizers({"top_k": TopK(0.5)}).chosen(game)
    assert (sorted(fake.tolist()), share) == ([2.0, 3.0], 1.0)
    assert found is not None
    assert dict(zip(fake.tolist(), found.tolist(), strict=True)) == {3.0: 30.0, 2.0: 40.0}


@pytest.mark.parametrize(("share", "count"), [(1e-6, 1), (0.25, 1), (0.6, 2), (0.7, 3)])
def test_at_least_one_is_chosen(share: float, count: int) -> None:
    choice = TopK(share).choose(play(fake_logits=LOGITS))
    assert choice is not None
    assert len(choice[0]) == count


def test_a_share_of_one_leaves_all() -> None:
    assert TopK(1.0).choose(play(fake_logits=LOGITS)) is None


def test_shares_of_ranks_add_up_to_the_batch() -> None:
    """Two ranks: means of what each chose, times its factor, have the mean of the whole choice."""
    others = torch.tensor([9.0, 8.0, -5.0, 7.0])
    everyone = torch.cat([LOGITS, others])
    total = 0.0
    for own in (LOGITS, others):
        choice = TopK(0.5).choose(play(fake_logits=own, whole_batch=lambda _: everyone))
        assert choice is not None
        total += own[choice[0]].mean().item() * choice[1] / 2
    assert total == pytest.approx((9 + 8 + 7 + 3) / 4)


def test_a_rank_may_have_none_of_them() -> None:
    everyone = torch.cat([LOGITS, LOGITS + 100])
    choice = TopK(0.5).choose(play(fake_logits=LOGITS, whole_batch=lambda _: everyone))
    assert choice is not None
    assert (len(choice[0]), choice[1]) == (0, 0.0)


@pytest.mark.parametrize("share", [0.0, 1.1, -0.5])
def test_options_are_checked(share: float) -> None:
    with pytest.raises(OptionError, match=f"share={share}"):
        TopK(share)


@pytest.mark.parametrize("broken", [1, 3])
def test_a_logit_that_is_nan_is_chosen_on_the_rank_that_has_it(broken: int) -> None:
    """As torch.topk has it for one process: the loss must not be finite where a logit is not."""
    own = LOGITS.clone()
    own[:broken] = torch.nan
    everyone = torch.cat([own, LOGITS])
    choice = TopK(0.25).choose(play(fake_logits=own, whole_batch=lambda _: everyone))
    assert choice is not None
    assert own[choice[0]].isnan().sum() == broken
    assert choice[1] > 0

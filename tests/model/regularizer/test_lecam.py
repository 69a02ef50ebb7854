from __future__ import annotations

import pytest
import torch
from games import play

from ganvas.errors import OptionError
from ganvas.model.regularizer.lecam import LeCam


def test_the_closed_form() -> None:
    """r=2, f=-1, a_R=1, a_F=-1: (2 + 1)^2 + (1 + 1)^2 = 13."""
    one = LeCam(weight=0.5, decay=0.0, start=0)
    one.observe(torch.tensor(1.0), torch.tensor(-1.0))
    term = one.discriminator(play(real_logits=torch.tensor([2.0]), fake_logits=torch.tensor([-1.0])))
    assert term is not None
    assert term.item() == pytest.approx(0.5 * 13)


def test_logits_on_the_far_side_of_the_anchors_are_free() -> None:
    one = LeCam(decay=0.0, start=0)
    one.observe(torch.tensor(1.0), torch.tensor(-1.0))
    real = torch.tensor([-2.0, 0.5], requires_grad=True)  # below a_F; above it
    fake = torch.tensor([3.0, 0.25], requires_grad=True)  # above a_R; below it
    term = one.discriminator(play(real_logits=real, fake_logits=fake))
    assert term is not None
    term.backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert real.grad.tolist() == pytest.approx([0.0, 0.3 * 1.5], rel=1e-6)
    assert fake.grad.tolist() == pytest.approx([0.0, -0.3 * 0.75], rel=1e-6)


def test_anchors_are_running_means_and_act_from_the_start_on() -> None:
    """Two steps of decay 3/4 weigh 3 : 4, also while there are few."""
    one = LeCam(weight=1.0, decay=0.75, start=500)
    one.observe(torch.tensor(7.0), torch.tensor(-14.0))
    one.observe(torch.tensor(0.0), torch.tensor(7.0))
    logits = {"real_logits": torch.tensor([10.0]), "fake_logits": torch.tensor([-9.0])}
    assert one.discriminator(play(examples_seen=499, **logits)) is None
    term = one.discriminator(play(examples_seen=500, **logits))
    assert term is not None
    real_anchor, fake_anchor = 3.0, -2.0
    assert term.item() == pytest.approx((10 - fake_anchor) ** 2 + (real_anchor + 9) ** 2)


def test_before_anything_was_observed_the_term_is_zero() -> None:
    term = LeCam(start=0).discriminator(
        play(real_logits=torch.tensor([3.0]), fake_logits=torch.tensor([-5.0]))
    )
    assert term is not None
    assert term.item() == 0


def test_what_it_observes_after_the_term_does_not_change_its_gradient() -> None:
    one = LeCam(decay=0.0, start=0)
    one.observe(torch.tensor(0.0), torch.tensor(0.0))
    real = torch.tensor([2.0], requires_grad=True)
    term = one.discriminator(play(real_logits=real, fake_logits=torch.tensor([0.0])))
    one.observe(torch.tensor(50.0), torch.tensor(50.0))
    assert term is not None
    term.backward()
    assert real.grad is not None
    assert real.grad.item() == pytest.approx(0.3 * 2 * 2)


def test_half_precision_is_computed_in_float32() -> None:
    one = LeCam(weight=1.0, start=0)
    one.observe(torch.tensor(0.0), torch.tensor(0.0))
    half = torch.tensor([300.0], dtype=torch.float16)
    term = one.discriminator(play(real_logits=half, fake_logits=-half))
    assert term is not None
    assert term.item() == pytest.approx(2 * 300.0**2)


@pytest.mark.parametrize(
    ("option", "value"), [("weight", 0.0), ("weight", -1.0), ("decay", 1.0), ("decay", -0.1), ("start", -1)]
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        LeCam(**{option: value})  # type: ignore[arg-type]


def test_a_run_that_ends_before_it_acts_is_told() -> None:
    assert LeCam(start=64_000).out_of_reach(64_001) == []
    assert LeCam(start=64_000).out_of_reach(64_000) == [
        "start=64000: it acts from there on, and the run ends after 64,000 examples"
    ]

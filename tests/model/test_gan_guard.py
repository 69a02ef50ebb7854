"""A step of the GAN whose numbers are not finite leaves nothing behind."""

from __future__ import annotations

import pytest
import torch
from broken_recipes import BAD, GAN_FAULTS, D, Faults, G, Watch, changed, fit, gan_for, make_gan, parts

from ganvas.errors import NonFiniteError, RollbackError
from ganvas.model.adversarial_loss.rpgan import RpGAN


def assert_undone(where: str, watch: Watch) -> None:
    """All is as before the batch, but for the discriminator's step where the generator's was caught."""
    moved = parts(changed(watch.before[BAD], watch.after[BAD]))
    if where.startswith("generator"):
        assert moved == D, "the average of the weights stays with its weights"
        assert not parts(changed(watch.between[BAD], watch.after[BAD])) & D
    else:
        assert not moved


@pytest.mark.parametrize("where", GAN_FAULTS)
def test_a_gan_stops_before_anything_has_moved(where: str) -> None:
    model, faults = gan_for(where)
    with pytest.raises(NonFiniteError) as caught:
        fit(model, faults)
    error, watch = caught.value, caught.value.watch
    assert error.term == GAN_FAULTS[where]
    assert not isinstance(error, RollbackError)
    assert f"batch {BAD + 1}, after {BAD * 16} examples" in str(error)
    assert "last finite values: loss/discriminator 1." in str(error) or "loss/discriminator 0." in str(error)
    assert "gradient_norm/generator " in str(error)
    assert ("mend the samples" if where == "data" else "smaller learning rate") in str(error)
    assert_undone(where, watch)
    assert model.batches_seen == BAD


@pytest.mark.parametrize("where", GAN_FAULTS)
def test_a_gan_skips_the_step_and_goes_on(where: str) -> None:
    model, faults = gan_for(where)
    model.set_non_finite_policy("skip", 1)
    trainer, watch = fit(model, faults)
    skipped = "generator" if where.startswith("generator") else "discriminator"
    assert model.guard.skipped == {skipped: 1}
    if skipped == "generator":
        assert_undone(where, watch)
    else:
        assert not parts(changed(watch.before[BAD], watch.between[BAD])) & D
        moved = changed(watch.before[BAD], watch.after[BAD])
        assert parts(moved) - {"discriminator"} == G, "the generator's own numbers are finite: it steps"
        of_batches = {name for name, _ in make_gan(Faults()).discriminator.named_buffers()}
        assert {name.partition(".")[2] for name in moved if name.startswith("discriminator.")} <= of_batches
    assert trainer.global_step == model.batches_seen == model.generator_steps == 6
    assert model.examples_seen == 96
    assert all(torch.as_tensor(value).isfinite().all() for value in watch.after[-1].values())
    counts = [report.get("non_finite/skipped", torch.tensor(0.0)).item() for report in watch.reports]
    assert counts == [0, 0, 0, 1, 1, 1]
    assert "non_finite/skipped" not in watch.reports[0]
    assert parts(changed(watch.before[-1], watch.after[-1])) == D | G


def test_a_pairing_loss_that_sees_bad_data_skips_both_networks() -> None:
    faults = Faults("data")
    model = make_gan(faults, adversarial_loss=RpGAN())
    model.set_non_finite_policy("skip", 1)
    _, watch = fit(model, faults)
    assert model.guard.skipped == {"discriminator": 1, "generator": 1}
    assert not changed(watch.before[BAD], watch.after[BAD])


def test_a_batch_without_a_generator_step_leaves_nothing() -> None:
    faults = Faults("discriminator loss", lambda number: number == 2)
    model = make_gan(faults, d_steps_per_g_step=2)
    model.set_non_finite_policy("skip", 1)
    trainer, watch = fit(model, faults)
    assert not changed(watch.before[2], watch.after[2]), "the generator's BatchNorm ran on this batch"
    assert (trainer.global_step, model.generator_steps) == (6, 3)

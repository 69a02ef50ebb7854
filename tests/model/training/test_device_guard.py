"""The guard that decides on the device does what the host's does, one batch later where a run ends."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from broken_recipes import (
    BAD,
    GAN_FAULTS,
    QUANTIZERS,
    VQVAE_FAULTS,
    Faults,
    changed,
    everything,
    fit,
    gan_for,
    make_gan,
    make_vqvae,
)
from pytorch_lightning.plugins import MixedPrecision

from ganvas.errors import NonFiniteError, RollbackError


def ends(model: Any, faults: Faults, *, on_device: bool, batches: int = 7) -> dict[str, Any]:
    """What a run that skips ends as."""
    model.set_non_finite_policy("skip", 1)
    model.decides_on_device = on_device
    trainer, watch = fit(model, faults, batches)
    assert trainer.global_step == model.batches_seen == batches
    return {"state": watch.after[-1], "skipped": model.guard.skipped, "row": model.guard.consecutive_skips}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["skipped"] == other["skipped"]
    assert one["row"] == other["row"]
    assert one["state"].keys() == other["state"].keys()
    for name, value in one["state"].items():  # the average adds in another order
        torch.testing.assert_close(other["state"][name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("options", [{}, {"d_steps_per_g_step": 2}, {"grad_clip": 0.1}], ids=str)
@pytest.mark.parametrize("where", ["", *GAN_FAULTS])
def test_a_gan_skips_alike(where: str, options: dict[str, Any]) -> None:
    host, device = (ends(*gan_for(where, **options), on_device=value) for value in (False, True))
    assert_same(host, device)
    assert bool(host["skipped"]) == bool(where)


@pytest.mark.parametrize("quantizer", QUANTIZERS)
@pytest.mark.parametrize("where", ["", *VQVAE_FAULTS])
def test_a_vqvae_skips_alike(where: str, quantizer: str) -> None:
    runs = []
    for value in (False, True):
        faults = Faults(where)
        runs.append(ends(make_vqvae(faults, QUANTIZERS[quantizer]()), faults, on_device=value))
    assert_same(*runs)
    assert bool(runs[0]["skipped"]) == bool(where)


@pytest.mark.parametrize("policy", ["stop", "rollback"])
@pytest.mark.parametrize("where", GAN_FAULTS)
def test_a_run_ends_one_batch_late_and_names_the_right_one(where: str, policy: str) -> None:
    model, faults = gan_for(where)
    model.set_non_finite_policy(policy, 1)
    model.decides_on_device = True
    with pytest.raises(RollbackError if policy == "rollback" else NonFiniteError) as caught:
        fit(model, faults)
    assert caught.value.term == GAN_FAULTS[where]
    assert f"batch {BAD + 1}, after {BAD * 16} examples" in str(caught.value)
    assert model.batches_seen == BAD + 1
    assert all(torch.as_tensor(value).isfinite().all() for value in everything(model).values())


def test_the_last_batch_is_looked_at_too() -> None:
    model, faults = gan_for("generator loss")
    model.decides_on_device = True
    with pytest.raises(NonFiniteError, match=f"batch {BAD + 1},"):
        fit(model, faults, BAD + 1)


def test_a_checkpoint_waits_for_the_host() -> None:
    model, _ = gan_for("discriminator loss")
    model.set_non_finite_policy("skip", 1)
    model.decides_on_device = True
    counts = []

    class Save(Faults):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            checkpoint: dict[str, Any] = {}
            pl_module.on_save_checkpoint(checkpoint)
            counts.append(checkpoint["ganvas_guard"]["skipped"].get("discriminator", 0))

    model.adversarial_loss.faults = save = Save("discriminator loss")
    fit(model, save)
    assert counts == [0, 0, 0, 1, 1, 1]


def test_an_optimizer_that_cannot_pass_over_a_step_is_the_hosts() -> None:
    faults = Faults("discriminator loss")
    model = make_gan(faults, discriminator_optimizer=partial(torch.optim.SGD, lr=0.1))
    model.set_non_finite_policy("skip", 1)
    model.decides_on_device = True
    _, watch = fit(model, faults)
    assert model.guard.skipped == {"discriminator": 1}
    assert not {name for name in changed(watch.before[BAD], watch.between[BAD]) if name.startswith("discr")}


def test_a_scaler_passes_over_an_infinite_loss_with_finite_gradients() -> None:
    runs = []
    for on_device in (False, True):
        model, faults = gan_for("discriminator loss")
        model.set_non_finite_policy("skip", 1)
        model.decides_on_device = on_device
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
        _, watch = fit(model, faults, 5, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])
        assert model.guard.skipped == {"discriminator": 1}
        runs.append((watch.before[BAD], watch.between[BAD], model.guard.skipped))
    for before, between, _ in runs:
        assert not {name for name in changed(before, between) if name.startswith("discriminator")}

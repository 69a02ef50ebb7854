"""A step of the VQ-VAE whose numbers are not finite leaves nothing behind."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from broken_recipes import BAD, QUANTIZERS, VQVAE_FAULTS, Faults, changed, fit, make_vqvae

from ganvas.errors import NonFiniteError
from ganvas.model.quantizer.fsq import FSQ


@pytest.mark.parametrize("quantizer", QUANTIZERS)
@pytest.mark.parametrize("where", VQVAE_FAULTS)
@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_a_vqvae_leaves_everything_as_it_was(policy: str, where: str, quantizer: str) -> None:
    faults = Faults(where)
    model = make_vqvae(faults, QUANTIZERS[quantizer]())
    model.set_non_finite_policy(policy, 1)
    if policy == "stop":
        with pytest.raises(NonFiniteError) as caught:
            fit(model, faults)
        watch = caught.value.watch
        assert caught.value.term == VQVAE_FAULTS[where]
        assert "loss/reconstruction 0." in str(caught.value)
    else:
        trainer, watch = fit(model, faults)
        assert model.guard.skipped == {"all": 1}
        assert trainer.global_step == model.batches_seen == 6
        assert all(torch.as_tensor(value).isfinite().all() for value in watch.after[-1].values())
        assert changed(watch.before[-1], watch.after[-1]) >= {"quantizer.codebook"}
        counts = [report.get("non_finite/skipped", torch.tensor(0.0)).item() for report in watch.reports]
        assert counts == [0, 0, 0, 1, 1, 1]
    assert not changed(watch.before[BAD], watch.after[BAD])


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_codes_start_from_the_first_batch_that_counts(quantizer: str) -> None:
    states = []
    for first_is_bad in (True, False):
        faults = Faults("data", lambda number, bad=first_is_bad: bad and number == 0)
        model = make_vqvae(faults, QUANTIZERS[quantizer](), optimizer=partial(torch.optim.SGD, lr=0.0))
        model.set_non_finite_policy("skip", 1)
        model.batches_seen = 0 if first_is_bad else 1  # the second batch is this model's first
        fit(model, faults, 2 if first_is_bad else 1)
        assert (model.batches_seen, model.guard.total) == (2, int(first_is_bad))
        states.append(model.quantizer.state_dict())
    assert not changed(*states)
    assert states[0]["batches"].item() == 1


@pytest.mark.parametrize("policy", ["stop", "skip"])
@pytest.mark.parametrize("on_device", [False, True])
def test_integer_codes_never_see_what_is_not_finite(policy: str, on_device: bool) -> None:
    faults = Faults("data")
    model = make_vqvae(faults, FSQ([5, 4, 3], 3))
    model.decides_on_device = on_device  # as on CUDA, where the host must not look
    model.set_non_finite_policy(policy, 1)
    if policy == "stop":
        with pytest.raises(NonFiniteError, match="data is not finite"):
            fit(model, faults)
    else:
        _, watch = fit(model, faults)
        assert model.guard.skipped == {"all": 1}
        assert not changed(watch.before[BAD], watch.after[BAD])
    assert all(value.isfinite().all() for value in model.state_dict().values())

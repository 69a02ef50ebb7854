"""Policies and counts of the guard, in both recipes; what each recipe undoes is tested beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from broken_recipes import BAD, D, Faults, G, changed, fit, make_gan, make_vqvae
from pytorch_lightning.plugins import MixedPrecision

from ganvas.errors import NonFiniteError, OptionError, RollbackError
from ganvas.functional.batch import Batch
from ganvas.model.training.guard import Guard


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.AdamW, weight_decay=0.1),
        partial(torch.optim.SGD, momentum=0.9, weight_decay=0.1),
        torch.optim.RMSprop,
        torch.optim.NAdam,
        torch.optim.Adagrad,
        partial(torch.optim.Adam, fused=True),
        partial(torch.optim.Adam, foreach=True),
    ],
)
def test_optimizers_touch_nothing_without_gradients(optimizer: Any) -> None:
    build = partial(optimizer, lr=1e-2)
    for make, where in ((make_gan, "discriminator gradient"), (make_vqvae, "encoder gradient")):
        faults = Faults(where)
        options = {"discriminator_optimizer": build} if make is make_gan else {"optimizer": build}
        model = make(faults, **options)
        model.set_non_finite_policy("skip", 1)
        trainer, watch = fit(model, faults, 5)
        before, after = (
            {k: v for k, v in side[BAD].items() if not k.startswith(("generator", "ema"))}
            for side in (watch.before, watch.between or watch.after)
        )
        assert not changed(before, after)
        assert trainer.global_step == 5


def test_more_than_max_skips_consecutive_skips_end_the_run() -> None:
    faults = Faults("discriminator loss", lambda number: number >= 2)
    model = make_gan(faults)
    model.set_non_finite_policy("skip", 3)
    with pytest.raises(NonFiniteError, match="3 steps in a row were skipped"):
        fit(model, faults, 20)
    assert model.batches_seen == 2 + 3
    assert model.guard.skipped == {"discriminator": 3}


def test_each_network_counts_its_own_row() -> None:
    faults = Faults("generator loss", lambda number: True)
    model = make_gan(faults, d_steps_per_g_step=2)
    model.set_non_finite_policy("skip", 2)
    with pytest.raises(NonFiniteError):
        fit(model, faults, 20)
    assert model.batches_seen == 5, "its third step came due on the sixth batch"
    faults = Faults("discriminator loss", lambda number: number % 2 == 1)
    model = make_gan(faults)
    model.set_non_finite_policy("skip", 1)
    fit(model, faults, 8)
    assert model.guard.skipped == {"discriminator": 4}, "a step that is made ends the row"


@pytest.mark.parametrize("make", [make_gan, make_vqvae])
def test_rollback_is_asked_for(make: Any) -> None:
    faults = Faults("data")
    model = make(faults)
    model.set_non_finite_policy("rollback", 10)
    with pytest.raises(RollbackError) as caught:
        fit(model, faults)
    assert caught.value.term == "data"
    assert not changed(caught.value.watch.before[BAD], caught.value.watch.after[-1])


def test_a_parameter_that_was_broken_before_is_named() -> None:
    model = make_gan(Faults())
    with torch.no_grad():
        model.generator.layers[4].weight[3, 2] = torch.nan
    with pytest.raises(
        NonFiniteError, match=r"the parameter generator\.layers\.4\.weight was not finite before"
    ):
        fit(model, Faults())
    with pytest.raises(NonFiniteError) as caught:
        fit(make_gan(faults := Faults("discriminator loss", lambda number: number == 0)), faults)
    assert "parameter" not in str(caught.value)
    assert "last finite values: none" in str(caught.value)


def test_after_a_rollback_data_and_draws_are_others() -> None:
    """With rollbacks=0 they are those of before the option (tests of the recipes and of the loader)."""
    seen = {}
    for rollbacks in (0, 1, 1, 2):
        model = make_gan(Faults())
        model.rollbacks = rollbacks
        fit(model, Faults(), 1)
        model.batches_seen = 1
        draws = model.begin_step(Batch(torch.zeros(4, 1, 8, 8), None))
        now = [model.discriminator.network.mean, draws.normal("latent", 4, 6), torch.rand(3)]
        if rollbacks in seen:
            assert all(map(torch.equal, seen[rollbacks], now))
        seen[rollbacks] = now
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not any(map(torch.equal, seen[one], seen[other]))


def test_counts_travel_in_the_checkpoint() -> None:
    faults = Faults("discriminator loss")
    model = make_gan(faults)
    model.set_non_finite_policy("skip", 1)
    model.rollbacks = 2
    fit(model, faults, BAD + 1)
    checkpoint: dict[str, Any] = {}
    model.on_save_checkpoint(checkpoint)
    other = make_gan(faults)
    other.set_non_finite_policy("skip", 1)
    other.on_load_checkpoint(checkpoint)
    assert other.guard.state() == {
        "skipped": {"discriminator": 1},
        "consecutive_skips": {"generator": 0, "discriminator": 1},
    }
    assert (other.batches_seen, other.rollbacks) == (BAD + 1, 2)
    with pytest.raises(NonFiniteError, match="1 steps in a row"):
        fit(other, Faults("discriminator loss", lambda number: True), BAD + 3)
    another = make_gan(faults)
    another.rollbacks = 3  # just decided: the checkpoint is from before it
    another.on_load_checkpoint(checkpoint)
    assert another.rollbacks == 3


@pytest.mark.parametrize("make", [make_gan, make_vqvae])
def test_overflow_under_a_grad_scaler_is_left_to_it(make: Any) -> None:
    """float16 overflows at a scale of 2^30 and the scaler halves it; a loss that is not finite is ours."""
    where = "discriminator loss" if make is make_gan else "reconstruction loss"
    for faults in (Faults(), Faults(where)):
        model = make(faults)
        model.set_non_finite_policy("skip", 1)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
        trainer, watch = fit(model, faults, 8, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])
        assert model.guard.total == (1 if faults.where else 0)
        checkpoint: dict[str, Any] = {}
        model.on_save_checkpoint(checkpoint)
        scales = {name: state["scale"] for name, state in checkpoint["ganvas_scalers"].items()}
        assert scales.keys() == ({"generator", "discriminator"} if make is make_gan else {"all"})
        assert all(0 < scale < 2.0**30 for scale in scales.values())
        assert trainer.global_step == 8
        assert all(torch.as_tensor(value).isfinite().all() for value in watch.after[-1].values())


@pytest.mark.parametrize(("option", "value"), [("non_finite", "ignore"), ("max_skips", 0)])
def test_refuses(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"^{option}={value}: "):
        Guard(**{{"non_finite": "policy"}.get(option, option): value})


_TWO_RANKS = """
import os
sys.path.append("{helpers}")
os.environ |= dict(LOCAL_RANK=str(rank), NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
from broken_recipes import *
from ganvas.run.distributed.strategy import make_strategy

result = []
for make, where, policy in {cases}:
    faults = Faults(where, lambda number: number == BAD and rank == 1)  # the other rank is well
    model = make_gan(faults) if make == "gan" else make_vqvae(faults)
    model.set_non_finite_policy(policy, 1)
    strategy = make_strategy("ddp", processes=2, backend="gloo")
    term = ""
    try:
        _, watch = fit(model, faults, devices=2, strategy=strategy, use_distributed_sampler=False)
    except NonFiniteError as error:
        term, watch = error.term, error.watch
    moved = sorted(parts(changed(watch.before[BAD], watch.after[BAD])))
    result.append((term, model.guard.state(), model.batches_seen, moved, watch.after[-1]))
"""
_CASES = [
    ("gan", "data", "stop", "data", []),
    ("gan", "discriminator gradient", "skip", "", ["discriminator", *sorted(G)]),
    ("gan", "generator loss", "skip", "", sorted(D)),
    ("vqvae", "reconstruction loss", "stop", "loss/reconstruction", []),
    ("vqvae", "data", "skip", "", []),
]


def test_two_ranks_decide_alike_where_one_alone_is_broken(two_ranks: Any) -> None:
    helpers = Path(__file__).parents[2] / "helpers"
    cases = [case[:3] for case in _CASES]
    first, second = two_ranks(_TWO_RANKS.format(helpers=helpers, cases=cases))
    for case, one, other in zip(_CASES, first, second, strict=True):
        _, _, policy, term, moved = case
        assert one[:4] == other[:4], case
        assert one[0] == term, case
        assert one[2] == (BAD if policy == "stop" else 6), case
        assert sum(one[1]["skipped"].values()) == (0 if policy == "stop" else 1), case
        assert one[3] == moved, case  # of the discriminator, its BatchNorm in the generator's step
        assert not changed(one[4], other[4]), case
        assert all(torch.as_tensor(value).isfinite().all() for value in one[4].values()), case

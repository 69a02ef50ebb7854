"""The GAN recipe against the same steps written out in plain PyTorch."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from kept import fit
from torch import nn

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.adversarial_loss.least_squares import LeastSquares
from ganvas.model.adversarial_loss.non_saturating import NonSaturating
from ganvas.model.adversarial_loss.rpgan import RpGAN
from ganvas.model.adversarial_loss.wasserstein import Wasserstein
from ganvas.model.augment.ada import ADA
from ganvas.model.discriminator.mlp import MLPDiscriminator
from ganvas.model.ema.exponential import ExponentialAverage
from ganvas.model.gan import GAN
from ganvas.model.generator.mlp import MLPGenerator
from ganvas.model.generator.style import StyleGenerator
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.gradient_penalty.r1 import R1
from ganvas.model.gradient_penalty.r1_r2 import R1R2
from ganvas.model.gradient_penalty.wgan_gp import WGANGP
from ganvas.model.head.acgan import ACGANHead
from ganvas.model.head.plain import PlainHead
from ganvas.model.optimizer.adam import adam
from ganvas.model.regularizer.zcr import ZCR


def make(**options: Any) -> GAN:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "latent_dim": 6,
        "generator": MLPGenerator(latent_dim=6, sample_shape=[1, 8, 8], hidden_dim=16),
        "discriminator": MLPDiscriminator(sample_shape=[1, 8, 8], hidden_dim=16),
        "head": PlainHead,
        "conditional": False,
        "num_classes": None,
        "adversarial_loss": NonSaturating(),
        "gradient_penalty": None,
        "ema": ExponentialAverage(half_life=100.0),
        "generator_optimizer": partial(adam, lr=1e-2, beta1=0.5, beta2=0.9),
        "discriminator_optimizer": partial(adam, lr=2e-2, beta1=0.5, beta2=0.9),
        "d_steps_per_g_step": 1,
        "grad_clip": None,
        "seed": 3,
    }
    return GAN(**parts | options)


@pytest.mark.parametrize(("d_steps", "ramp"), [(1, None), (2, None), (2, 0.9)])
def test_steps_equal_a_plain_loop(d_steps: int, ramp: float | None) -> None:
    ema = ExponentialAverage(half_life=100.0, ramp=ramp)
    model = make(d_steps_per_g_step=d_steps, gradient_penalty=R1(gamma=0.3, interval=2), ema=ema)
    generator, discriminator = copy.deepcopy(model.generator), copy.deepcopy(model.discriminator)
    average = copy.deepcopy(generator)
    trainer, keep = fit(model, 6)

    g_adam = torch.optim.Adam(generator.parameters(), 1e-2, (0.5, 0.9))
    d_adam = torch.optim.Adam(discriminator.parameters(), 2e-2, (0.5, 0.9))
    softplus = nn.functional.softplus
    for step, real in enumerate(keep.batches):
        z = Draws(3, step).normal("latent", 16, 6)
        fake = generator(z)
        d_loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake.detach())).mean()
        if step % 2 == 1:  # lazy: every second step, times two
            x = real.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
            d_loss = d_loss + 2 * 0.3 / 2 * gradient.square().sum((1, 2, 3)).mean()
        d_adam.zero_grad()
        d_loss.backward()
        d_adam.step()
        if step % d_steps == d_steps - 1:
            g_adam.zero_grad()
            softplus(-discriminator(fake)).mean().backward()
            g_adam.step()
            half_life = 100 if ramp is None else min(100, ramp * 16 * (step + 1))
            decay = 0.5 ** (16 * d_steps / half_life)
            for mean, now in zip(average.parameters(), generator.parameters(), strict=True):
                mean.data.mul_(decay).add_(now.data, alpha=1 - decay)

    for ours, plain in (
        (model.generator, generator),
        (model.discriminator, discriminator),
        (model.ema.average, average),
    ):  # type: ignore[union-attr]
        for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert trainer.global_step == 6, "global_step counts batches, whatever the number of optimizers"
    counters = {"examples_seen": 96, "batches_seen": 6, "rollbacks": 0}
    assert model.clock() == counters
    assert model.generator_steps == 6 // d_steps
    assert all(p.requires_grad for p in model.discriminator.parameters())


def test_a_conditional_step_equals_a_plain_loop() -> None:
    generator = MLPGenerator(latent_dim=6, sample_shape=[1, 8, 8], hidden_dim=16, num_classes=10)
    sgd = partial(torch.optim.SGD, lr=0.1)
    options = {"generator_optimizer": sgd, "discriminator_optimizer": sgd, "ema": None}
    head = partial(ACGANHead, weight=0.3)
    model = make(generator=generator, head=head, conditional=True, num_classes=10, **options)
    before = copy.deepcopy(model)
    batches: list[Batch] = []
    step = model.step
    model.step = lambda batch, draws: (batches.append(batch), step(batch, draws))  # type: ignore[method-assign]
    fit(model, 1)
    ((real, label),) = batches
    assert label is not None
    fake = before.generator(Draws(3, 0).normal("latent", 16, 6), label)
    softplus, cross_entropy = nn.functional.softplus, nn.functional.cross_entropy
    network, critic = before.discriminator.network, before.discriminator.head
    loss = (
        softplus(-critic.linear(network(real))).mean()
        + softplus(critic.linear(network(fake.detach()))).mean()
    )
    loss = loss + 0.3 * cross_entropy(critic.classes(network(real)), label)
    optimizer = sgd(before.discriminator.parameters())
    loss.backward()
    optimizer.step()
    loss = softplus(-critic.linear(network(fake))).mean()
    loss = loss + 0.3 * cross_entropy(critic.classes(network(fake)), label)
    optimizer = sgd(before.generator.parameters())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for name, value in before.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_the_generator_moves_by_the_updated_discriminator_alone() -> None:
    model = make(generator_optimizer=partial(torch.optim.SGD, lr=0.0))
    before = copy.deepcopy(model.generator.state_dict())
    fit(model, 2)
    assert all(torch.equal(before[key], value) for key, value in model.generator.state_dict().items())


def test_a_critic_is_clipped_after_each_of_its_steps_and_nothing_else_is() -> None:
    model = make(adversarial_loss=Wasserstein(clip=0.03), d_steps_per_g_step=3)
    fit(model, 2)
    largest = [
        max(p.abs().max().item() for p in one.parameters()) for one in (model.discriminator, model.generator)
    ]
    assert largest[0] == pytest.approx(0.03)
    assert largest[1] > 0.1


def test_reports_on_batches_on_which_everything_is_done() -> None:
    model = make(d_steps_per_g_step=2, gradient_penalty=R1(gamma=1.0, interval=3))
    assert model.log_period == 6
    model.log_every(examples=64, batch_size=16)  # 4 batches: the next multiple of 6 is taken
    _, keep = fit(model, 12)
    due = [bool(report) for report in keep.reports]
    assert due == [False] * 5 + [True] + [False] * 5 + [True]
    assert {
        "loss/generator",
        "loss/discriminator",
        "loss/gradient_penalty",
        "gradient_norm/generator",
    } <= set(keep.reports[5])


@pytest.mark.parametrize(
    ("batches", "every"), [(None, 54), (54, 54), (53, 48), (7, 6), (6, 6), (5, 5), (1, 1)]
)
def test_a_short_run_logs_once_where_everything_is_done_or_else_at_its_end(
    batches: int | None, every: int
) -> None:
    model = make(d_steps_per_g_step=2, gradient_penalty=R1(gamma=1.0, interval=3))
    model.log_every(examples=800, batch_size=16, batches=batches)  # 50 batches, up to a multiple of 6
    assert model.log_every_batches == every


def test_a_log_before_everything_was_done_has_what_was(  # the generator moves at the second batch
) -> None:
    model = make(d_steps_per_g_step=2)
    model.log_every(examples=800, batch_size=16, batches=1)
    _, keep = fit(model, 1)
    assert "loss/discriminator" in keep.reports[0]
    assert "loss/generator" not in keep.reports[0]


def test_relativistic_pairing_gets_real_logits_in_the_generators_step() -> None:
    _, keep = fit(make(adversarial_loss=RpGAN()), 1)
    assert keep.reports[0]["loss/generator"].isfinite()


def test_grad_clip_bounds_both_networks() -> None:
    sgd = partial(torch.optim.SGD, lr=1.0)
    model = make(grad_clip=1e-3, generator_optimizer=sgd, discriminator_optimizer=sgd, ema=None)
    before = copy.deepcopy(model)
    fit(model, 1)
    for name, network in model.networks.items():
        old = before.networks[name]
        moved = [a - b for a, b in zip(network.parameters(), old.parameters(), strict=True)]
        assert torch.nn.utils.get_total_norm(moved).item() == pytest.approx(1e-3, rel=1e-2)


def test_bf16_trains() -> None:
    model = make()
    fit(model, 2, precision="bf16-mixed")
    assert all(p.isfinite().all() and p.dtype == torch.float32 for p in model.parameters())


def test_a_sample_is_a_function_of_seed_and_number() -> None:
    model = make()
    fit(model, 2)
    whole = model.sample(6, 5)
    torch.testing.assert_close(model.sample(4, 5, start=2), whole[2:], rtol=0, atol=1e-6)
    assert not torch.equal(model.sample(6, 4), whole)
    assert not torch.equal(model.sample(6, 5, ema=False), whole)
    assert model.generator.training


def test_refuses_networks_of_another_shape() -> None:
    with pytest.raises(OptionError, match="generator"):
        make().check_sample(torch.zeros(2, 1, 9, 9))


@pytest.mark.parametrize(
    ("option", "value"), [("latent_dim", 0), ("d_steps_per_g_step", 0), ("grad_clip", -1.0)]
)
def test_refuses(option: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        make(**{option: value})


def test_torchs_own_stream_is_a_function_of_seed_and_step() -> None:
    """What dropout draws must not depend on what else drew before."""
    model, batch = make(), Batch(torch.zeros(4, 1, 8, 8), None)
    drawn = {}
    for step in (0, 1, 0):
        model.batches_seen = step
        torch.rand(step + 3)
        model.begin_step(batch)
        values = torch.rand(4)
        assert torch.equal(drawn.setdefault(step, values), values)
    assert not torch.equal(drawn[0], drawn[1])
    other = make(seed=4)
    other.begin_step(batch)
    assert not torch.equal(torch.rand(4), drawn[0])


def test_latents_side_by_side_bring_the_same_draws_along() -> None:
    """A style generator mixes styles and draws noise by its latents' bits: another latent, others of both."""
    generator = StyleGenerator(6, 1, 8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8, mixing=1.0)
    apart = generator(torch.ones(2, 6)).diff(dim=0).square().mean()
    model = make(generator=generator, regularizer={"zcr": ZCR(generator_weight=1.0, noise=1e-6)})
    fit(model, 1)
    assert 0 < -model.report["loss/regularizer/zcr/generator"] < 1e-6
    other = generator(torch.ones(1, 6), keys=torch.tensor([1])) - generator(torch.ones(1, 6))
    assert other.square().mean() > 1e-3
    assert apart < 1e-12  # but for the place in a batch, by which some CPUs round otherwise


def test_a_penalty_beside_batch_norm_is_remarked_on() -> None:
    coupled = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))
    coupled.feature_dim = 64
    (line,) = make(discriminator=coupled, gradient_penalty=R1(gamma=1.0, interval=1)).remarks()
    assert line.startswith("model.gradient_penalty=R1: ")
    assert line.endswith("model.discriminator.norm=none or spectral")
    assert make(discriminator=coupled).remarks() == []
    assert make(gradient_penalty=R1(gamma=1.0, interval=1)).remarks() == []


@pytest.mark.parametrize(("penalty", "passes"), [(R1R2(), 2), (R1(), 2), (WGANGP(), 3), (None, 2)])
def test_a_penalty_at_the_samples_themselves_takes_the_logits_of_the_loss(
    penalty: GradientPenalty | None, passes: int
) -> None:
    model, passed = make(gradient_penalty=penalty, d_steps_per_g_step=3), []
    model.discriminator.register_forward_hook(lambda *_: passed.append(1))
    fit(model, 1)  # of the discriminator alone
    assert len(passed) == passes


def test_a_generator_of_other_classes_is_refused() -> None:
    generator = MLPGenerator(latent_dim=6, sample_shape=[1, 8, 8], hidden_dim=16, num_classes=5)
    with pytest.raises(OptionError, match=r"generator.num_classes=5: must be 10, those of the model"):
        make(generator=generator, head=ACGANHead, conditional=True, num_classes=10)
    with pytest.raises(OptionError, match=r"generator.num_classes=5: must be 10, those of the data"):
        make(generator=generator, num_classes=10)
    assert make(generator=generator, num_classes=5).num_classes == 5, "it may read labels alone"


@pytest.mark.parametrize("loss", [RpGAN(), Wasserstein()])
def test_an_augmentation_that_adapts_needs_one(loss: AdversarialLoss) -> None:
    with pytest.raises(OptionError, match="augment=ADA: follows the signs"):
        make(adversarial_loss=loss, augment=ADA("b"))
    make(adversarial_loss=loss, augment=ADA("b", p=0.5, adapt=False))


def test_least_squares_moves_p_both_ways() -> None:
    augment = ADA("b", p=0.5, target=0.0, interval=1, adapt_examples=160)
    _, keep = fit(make(adversarial_loss=LeastSquares(), augment=augment), 3)
    p = [0.5]
    for report in keep.reports[:2]:
        p.append(p[-1] + (0.1 if 2 * float(report["accuracy/real"]) - 1 > 0 else -0.1))
    assert [float(report["augment/p"]) for report in keep.reports] == pytest.approx(p)

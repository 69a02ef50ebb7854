"""With which statistics the averaged weights of a generator with BatchNorm make samples."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from ganvas.metric.features.pixels import Pixels
from ganvas.metric.sample_evaluation import SampleEvaluation
from ganvas.metric.samples.fid import FID
from ganvas.model.adversarial_loss.non_saturating import NonSaturating
from ganvas.model.ema.exponential import ExponentialAverage
from ganvas.model.gan import GAN
from ganvas.model.generator.dcgan import DCGANGenerator
from ganvas.model.head.plain import PlainHead
from ganvas.model.optimizer.adam import adam


def make(**options: Any) -> GAN:
    torch.manual_seed(0)
    discriminator = nn.Flatten()
    discriminator.feature_dim = 256
    model = GAN(
        latent_dim=5,
        generator=DCGANGenerator(latent_dim=5, channels=1, image_size=16, base_channels=4),
        discriminator=discriminator,
        head=PlainHead,
        conditional=False,
        num_classes=None,
        adversarial_loss=NonSaturating(),
        gradient_penalty=None,
        **{"ema": ExponentialAverage()} | options,
        generator_optimizer=partial(adam, lr=1e-3, beta1=0.5, beta2=0.9),
        discriminator_optimizer=partial(adam, lr=1e-3, beta1=0.5, beta2=0.9),
        d_steps_per_g_step=1,
        grad_clip=None,
        seed=3,
    )
    with torch.no_grad():
        for part in (model.generator, model.ema.average) if model.ema else (model.generator,):
            for parameter in part.parameters():  # the average is elsewhere than the trained weights
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
            part.train()
            for _ in range(3):
                part(torch.randn(8, 5), None)
            part.eval()
    return model.train()


def by_torch(model: GAN) -> nn.Module:
    """The averaged generator with statistics of torch's update_bn, on many latents of its own."""

    class OfLatents(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, z: Tensor) -> Tensor:
            return self.network(z, None)

    assert model.ema is not None
    network = copy.deepcopy(model.ema.average)
    torch.manual_seed(5)
    update_bn([torch.randn(64, 5) for _ in range(200)], OfLatents(network))
    return network.eval()


def test_averaged_samples_are_normalized_by_statistics_of_the_averaged_weights() -> None:
    model = make()
    reference = by_torch(model)
    z = model.latents(32, 4)
    with torch.no_grad():
        wanted, held = reference(z, None), model.ema.average(z, None)
    made = model.sample(32, 4)
    assert (made - wanted).abs().mean() < 0.02
    assert (held - wanted).abs().mean() > 0.1
    assert not any(module.training for module in model.ema.average.modules())


def test_they_change_no_state_and_draw_nothing() -> None:
    model = make()
    before, stream = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    first = model.sample(8, 1)
    model.sample(8, 1, ema=False)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.equal(model.sample(8, 1), first)


def test_they_follow_the_weights() -> None:
    """However these change: by a step of the average, by a checkpoint, by hand."""
    model, other = make(), make()
    with torch.no_grad():
        for parameter in other.generator.parameters():
            parameter.mul_(1.3)
    model.sample(4, 1)

    def as_anew() -> None:
        fresh = make()
        fresh.load_state_dict(model.state_dict())
        assert torch.equal(model.sample(4, 1), fresh.sample(4, 1))

    before = model.average_statistics()
    model.ema.update(other.generator, examples=64, seen=64)
    as_anew()
    assert not torch.equal(*(one["layers.2.running_var"] for one in (before, model.average_statistics()))), (
        "the step was to be seen"
    )
    model.load_state_dict(other.state_dict())
    as_anew()
    with torch.no_grad():
        next(model.ema.average.parameters()).mul_(-0.5)
    as_anew()


def test_they_are_made_once_for_the_same_weights() -> None:
    model, passes = make(), []
    model.ema.average.register_forward_hook(lambda *_: passes.append(1))
    for seed in range(3):
        model.sample(4, seed)
    assert len(passes) == 4 + 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_they_are_of_the_type_that_the_module_is_cast_to(dtype: torch.dtype) -> None:
    model = make()
    z = torch.randn(6, 5)
    expected = model.generate(z)
    made = model.to(dtype).generate(z.to(dtype))
    assert made.dtype == dtype
    tolerance = 1e-4 if dtype == torch.float64 else 0.1
    torch.testing.assert_close(made.float(), expected, rtol=0, atol=tolerance)


def test_a_model_that_was_made_in_inference_mode_makes_samples() -> None:
    z = torch.randn(6, 5)
    expected = make().generate(z)
    with torch.inference_mode():
        model = make()
        torch.testing.assert_close(model.generate(z), expected)
        for parameter in model.ema.average.parameters():
            parameter.mul_(2)
        assert not torch.allclose(model.generate(z), expected, atol=0.01)


def test_they_do_not_depend_on_the_runs_seed_or_the_samples_asked_for() -> None:
    model, other = make(), make()
    other.seed = 77
    model.sample(3, 9, start=5, truncation=0.5)
    for name, value in model.average_statistics().items():
        assert torch.equal(value, other.average_statistics()[name])


def test_without_an_average_or_batch_norm_there_are_none() -> None:
    assert make(ema=None).average_statistics() == {}
    model = make()
    model.ema.average = nn.Linear(5, 3)
    assert (model.average_statistics(), model.statistics_samples) == ({}, None)


def test_the_protocol_of_metrics_says_so() -> None:
    def protocol(model: GAN, *, ema: bool) -> dict[str, object]:
        evaluation = SampleEvaluation(
            features=Pixels(8),
            metrics={"fid": FID()},
            num_samples=10,
            seed=0,
            batch_size=5,
            split="test",
            ema=ema,
        )
        return evaluation.protocol(model, Described())

    assert protocol(make(), ema=True)["batch_norm_fitted_to"] == make().statistics_samples == 256
    assert "batch_norm_fitted_to" not in protocol(make(), ema=False)
    assert "batch_norm_fitted_to" not in protocol(make(ema=None), ema=True)


class Described:
    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        return {"split": name}

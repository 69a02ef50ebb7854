"""A batch in parts trains what the whole batch trains, whatever the recipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from broken_recipes import QUANTIZERS, Faults, changed, everything, fit, make_gan, make_vqvae
from torch import nn

from ganvas.model.adversarial_loss.least_squares import LeastSquares
from ganvas.model.adversarial_loss.rpgan import RpGAN
from ganvas.model.adversarial_loss.wasserstein import Wasserstein
from ganvas.model.augment.ada import ADA
from ganvas.model.augment.apa import APA
from ganvas.model.augment.diffaugment import DiffAugment
from ganvas.model.discriminator.mlp import MLPDiscriminator
from ganvas.model.discriminator.patch import PatchDiscriminator
from ganvas.model.discriminator.style import StyleDiscriminator
from ganvas.model.generator.mlp import MLPGenerator
from ganvas.model.generator.style import StyleGenerator
from ganvas.model.gradient_penalty.dragan import DRAGAN
from ganvas.model.gradient_penalty.r1 import R1
from ganvas.model.gradient_penalty.wgan_gp import WGANGP
from ganvas.model.quantizer.bsq import BSQ
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.gumbel import GumbelQuantizer
from ganvas.model.quantizer.ibq import IBQ
from ganvas.model.quantizer.lfq import LFQ
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.regularizer.bcr import BCR
from ganvas.model.regularizer.lecam import LeCam
from ganvas.model.regularizer.path_length import PathLength
from ganvas.model.regularizer.top_k import TopK
from ganvas.model.regularizer.zcr import ZCR
from ganvas.model.schedule.linear import Linear

SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.5)  # Adam would blow float noise up to its step's size


def gan(**options: Any) -> Any:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "generator": MLPGenerator(latent_dim=6, sample_shape=[1, 8, 8], hidden_dim=16),
        "discriminator": MLPDiscriminator(sample_shape=[1, 8, 8], hidden_dim=16),
        "generator_optimizer": SGD,
        "discriminator_optimizer": SGD,
    }
    return make_gan(Faults(), **parts | options)


def patches() -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(1, 8, base_channels=4, layers=1, norm="none")


def style(**options: Any) -> Any:
    torch.manual_seed(0)
    return gan(
        generator=StyleGenerator(6, 1, 8, w_dim=5, channel_max=6),
        discriminator=StyleDiscriminator(1, 8, channel_max=6, minibatch_group=2),
        **options,
    )


CASES = {
    "gan": lambda: gan(),
    "every second batch, lazy R1": lambda: gan(d_steps_per_g_step=2, gradient_penalty=R1(1.0, interval=2)),
    "pairs, WGAN-GP, clipped": lambda: gan(
        adversarial_loss=RpGAN(), gradient_penalty=WGANGP(1.0), grad_clip=0.3
    ),
    "clipped critic, DRAGAN": lambda: gan(
        adversarial_loss=Wasserstein(clip=0.05), gradient_penalty=DRAGAN(weight=0.5)
    ),
    "StyleGAN2, its mean style": lambda: style(d_steps_per_g_step=2),
    "StyleGAN2, lazy path length": lambda: style(regularizer={"path_length": PathLength(interval=2)}),
    "regularizers": lambda: gan(
        regularizer={
            "lecam": LeCam(weight=0.5, decay=0.5, start=0),
            "bcr": BCR(real=0.3, fake=0.2),
            "zcr": ZCR(noise=0.5),
            "top_k": TopK(Linear(1.0, 0.4, 64)),
        },
        instance_noise=Linear(0.5, 0.0, 64),
    ),
    "ADA, R1": lambda: gan(
        augment=ADA("bgcfnc", p=0.4, interval=2, adapt_examples=300),
        gradient_penalty=R1(0.5),
        adversarial_loss=LeastSquares(),
    ),
    "DiffAugment": lambda: gan(augment=DiffAugment(), d_steps_per_g_step=2, adversarial_loss=RpGAN()),
    "APA": lambda: gan(augment=APA(p=0.4, interval=1, adapt_examples=300), adversarial_loss=LeastSquares()),
    "patches, R1": lambda: gan(discriminator=patches(), gradient_penalty=R1(1.0)),
    "vqvae": lambda: make_vqvae(
        Faults(), FSQ(levels=[3, 4, 5], embedding_dim=3), optimizer=SGD, grad_clip=0.5
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("parts", [2, 8])
def test_parts_train_what_the_whole_batch_trains(name: str, parts: int) -> None:
    ends = []
    for count in (1, parts):
        model = CASES[name]()
        model.micro_batches = count
        trainer, watch = fit(model, Faults(), 6)
        assert trainer.global_step == model.batches_seen == 6
        ends.append((watch.after[-1], watch.reports))
    assert changed(watch.before[2], watch.after[-1]), "something has moved"
    (whole, reports), (summed, reports_of_parts) = ends
    # Copied before the step is taken up, and read by nobody: how many passes there were until then.
    for key in whole.keys() - {"ema.average.w_sum", "ema.average.w_batches"}:
        value = whole[key]
        torch.testing.assert_close(summed[key], value, rtol=2e-4, atol=2e-6, msg=key)
    for one, other in zip(reports, reports_of_parts, strict=True):
        assert one.keys() == other.keys()
        for tag in one.keys() - {"codes/perplexity", "codes/used"}:  # of one part each, and their mean
            torch.testing.assert_close(other[tag].double(), one[tag].double(), rtol=2e-3, atol=2e-5, msg=tag)


def test_what_is_computed_again_leaves_no_trace() -> None:
    """BatchNorm counts its passes: for each part those of a whole batch."""
    passes = []
    for count in (1, 4):
        model = make_gan(Faults(), generator_optimizer=SGD, discriminator_optimizer=SGD)
        model.micro_batches = count
        fit(model, Faults(), 3)
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
        passes.append([int(norm.num_batches_tracked) for norm in norms])
    generator, average, discriminator = passes[0]
    assert (generator, discriminator, average) == (3, 9, 3), "fake; real, fake, fake again; a copy"
    assert passes[1] == [4 * number for number in passes[0]]


def test_a_part_that_is_not_finite_skips_the_whole_step() -> None:
    calls = []

    class Once(Faults):
        def loss(self, where: str, value: Any) -> Any:
            calls.append(where)
            third_part = self.now and where == "discriminator" and calls.count(where) % 4 == 3
            return value + torch.inf if third_part else value

    faults = Once()
    model = make_gan(faults)
    model.micro_batches = 4
    model.set_non_finite_policy("skip", 1)
    _, watch = fit(model, faults, 5)
    assert model.guard.skipped == {"discriminator": 1}
    moved = changed(watch.before[3], watch.between[3 * 5])  # once made, and four times passed over
    assert not {name for name in moved if name.startswith("discriminator")}
    assert all(torch.as_tensor(value).isfinite().all() for value in everything(model).values())


@pytest.mark.parametrize("quantizer", QUANTIZERS)
@pytest.mark.parametrize("parts", [1, 2])
def test_codes_start_from_data_where_the_first_batch_was_undone(parts: int, quantizer: str) -> None:
    states = []
    for first_is_bad in (True, False):
        faults = Faults("data", lambda number, bad=first_is_bad: bad and number == 0)
        model = make_vqvae(faults, QUANTIZERS[quantizer](), optimizer=partial(torch.optim.SGD, lr=0.0))
        model.micro_batches = parts
        model.set_non_finite_policy("skip", 1)
        model.batches_seen = 0 if first_is_bad else 1  # the second batch is this model's first
        fit(model, faults, 2 if first_is_bad else 1)
        assert model.guard.total == int(first_is_bad)
        states.append(model.quantizer.state_dict())
    assert not changed(*states)
    assert states[0]["batches"].item() == parts


def with_codes(quantizer: Any) -> Any:
    quantizer.set_codes(torch.randn(6, 4, generator=torch.Generator().manual_seed(1)))
    return quantizer


@pytest.mark.parametrize(
    ("make", "is_whole"),
    [
        (lambda: BSQ(4, entropy_diversity=0.0), True),
        (lambda: BSQ(4), False),
        (lambda: LFQ(4, entropy_diversity=0.0), True),
        (lambda: LFQ(4), False),
        (lambda: with_codes(VectorQuantizer(6, 4, entropy_cost=1.0, entropy_diversity=0.0)), True),
        (lambda: with_codes(VectorQuantizer(6, 4, entropy_cost=1.0)), False),
        (lambda: with_codes(VectorQuantizer(6, 4, orthogonal_cost=1.0)), True),
        (lambda: IBQ(6, 4, entropy_cost=0.0), True),
        (lambda: IBQ(6, 4, entropy_cost=1.0), False),
        (lambda: GumbelQuantizer(6, 4, kl_cost=1.0), True),
    ],
)
def test_which_of_a_quantizers_losses_are_those_of_the_whole_batch(
    make: Callable[[], Any], is_whole: bool
) -> None:
    torch.manual_seed(0)
    quantizer = make().eval()  # nothing moves from one part to the next
    z = torch.randn(8, 4, 3)
    parts = torch.stack([quantizer(part).loss for part in z.chunk(2)]).mean()
    whole = quantizer(z).loss
    assert bool(torch.isclose(parts, whole, rtol=1e-5)) == is_whole
    assert is_whole or parts > whole, "the mean of two batches is more even than each"

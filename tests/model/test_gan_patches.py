"""The GAN recipe with a discriminator of patches: losses read every logit, all else a sample's mean."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from broken_recipes import Faults, make_gan
from torch import nn

from ganvas.data.digits import Digits
from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.adversarial_loss.least_squares import LeastSquares
from ganvas.model.adversarial_loss.wasserstein import Wasserstein
from ganvas.model.discriminator.patch import PatchDiscriminator
from ganvas.model.generator.mlp import MLPGenerator
from ganvas.model.gradient_penalty.r1 import R1
from ganvas.model.head.acgan import ACGANHead
from ganvas.model.head.projection import ProjectionHead


def make(**options: Any) -> Any:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "generator": MLPGenerator(latent_dim=6, sample_shape=[1, 8, 8], hidden_dim=16, num_classes=10),
        "discriminator": PatchDiscriminator(1, 8, base_channels=4, layers=1, norm="none"),
        "head": ProjectionHead,
        "conditional": True,
        "num_classes": 10,
        "gradient_penalty": R1(0.7),
        "generator_optimizer": partial(torch.optim.SGD, lr=0.1),
        "discriminator_optimizer": partial(torch.optim.SGD, lr=0.1),
    }
    return make_gan(Faults(), **parts | options)


class Keep(pl.Callback):
    """The batch as the recipe got it."""

    batch: Batch

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batch = Batch(batch.x.clone(), batch.label.clone())


def test_a_step_equals_a_plain_loop() -> None:
    model, keep = make(), Keep()
    generator, discriminator = copy.deepcopy(model.generator), copy.deepcopy(model.discriminator)
    pl.Trainer(
        accelerator="cpu",
        max_steps=1,
        logger=False,
        enable_checkpointing=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[keep],
    ).fit(
        model,
        datamodule=Digits(batch_size=16, num_workers=0, seed=3, channels=1, image_size=8, num_classes=10),
    )
    x, label = keep.batch

    fake = generator(Draws(model.seed, 0).normal("latent", 16, 6), label)
    real_logits, fake_logits = discriminator(x, label), discriminator(fake.detach(), label)
    assert real_logits.shape == (16, 2, 2)
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x, label).mean((1, 2)).sum(), x, create_graph=True)
    softplus = nn.functional.softplus
    loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    (loss + 0.7 / 2 * gradient.square().sum((1, 2, 3)).mean()).backward()
    torch.optim.SGD(discriminator.parameters(), 0.1).step()
    softplus(-discriminator(fake, label)).mean().backward()
    torch.optim.SGD(generator.parameters(), 0.1).step()
    for ours, plain in ((model.generator, generator), (model.discriminator, discriminator)):
        for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(a, b)

    real, made = real_logits.mean((1, 2)), fake_logits.mean((1, 2))
    report = {name: float(value) for name, value in model.report.items()}
    assert report["accuracy/real"] == pytest.approx((real > 0).float().mean().item())
    assert report["accuracy/fake"] == pytest.approx((made <= 0).float().mean().item())
    assert report["accuracy/pairs"] == pytest.approx((real > made).float().mean().item())
    assert report["logits/real"] == pytest.approx(real.mean().item(), rel=1e-5)


def test_a_sample_has_one_logit_outside_of_losses() -> None:
    model = make().eval()
    x, label = torch.randn(5, 1, 8, 8), torch.tensor([3, 0, 9, 1, 3])
    logits = model.discriminator(x, label)
    model.check_sample(x)
    torch.testing.assert_close(model.discriminate(x, label), logits.mean((1, 2)))
    batch = Batch(x, label)
    sums = model.validation_sums(batch)
    assert sums["real_logits"].item() == pytest.approx(logits.mean((1, 2)).sum().item(), rel=1e-5)
    assert sums["real_accuracy"].item() == (logits.mean((1, 2)) > 0).sum().item()
    model.adversarial_loss = LeastSquares()  # whose logits part at 0.5
    between = (logits.mean((1, 2)) > 0.5).sum().item()
    assert model.validation_sums(batch)["real_accuracy"].item() == between
    model.adversarial_loss = Wasserstein()
    assert "real_accuracy" not in model.validation_sums(batch)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="model/head=plain or projection") as error:
        make(head=ACGANHead)
    assert error.value.option == "head"
    odd = PatchDiscriminator(1, 8, base_channels=4, layers=1, norm="none")
    odd.feature_dim = 65
    with pytest.raises(OptionError, match=r"C k\^2 = feature_dim, here 65") as error:
        make(discriminator=odd).check_sample(torch.randn(2, 1, 8, 8))
    assert error.value.option == "discriminator"
    silent = PatchDiscriminator(1, 8, base_channels=4, layers=1, norm="none")
    silent.gives_patches = False
    with pytest.raises(OptionError, match=r"\[B, feature_dim\]") as error:
        make(discriminator=silent).check_sample(torch.randn(2, 1, 8, 8))
    assert error.value.option == "discriminator"

"""Recipes that are broken on purpose, in a real Trainer, and what each of their steps has changed."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ganvas.data.digits import Digits
from ganvas.errors import NonFiniteError
from ganvas.model.adversarial_loss.non_saturating import NonSaturating
from ganvas.model.decoder.mlp import MLPDecoder
from ganvas.model.ema.exponential import ExponentialAverage
from ganvas.model.encoder.mlp import MLPEncoder
from ganvas.model.gan import GAN
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.head.plain import PlainHead
from ganvas.model.optimizer.adam import adam
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer
from ganvas.model.reconstruction_loss.mse import MSE
from ganvas.model.training.recipe import Recipe
from ganvas.model.vqvae import VQVAE

BAD = 3  # the batch, counted from 0, on which something breaks


class BadGradient(torch.autograd.Function):
    """The identity, whose gradient is NaN in one place."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        gradient.view(-1)[-1] = torch.nan
        return gradient


class Faults(pl.Callback):
    """Says which batches are bad, and breaks the data where asked to."""

    def __init__(
        self, where: str = "", batches: Callable[[int], bool] = lambda number: number == BAD
    ) -> None:
        self.where, self.batches, self.now = where, batches, False

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.now = self.batches(pl_module.batches_seen)
        if self.now and self.where == "data":
            batch.x[2, 0, 3, 4] = torch.inf

    def loss(self, where: str, value: Tensor) -> Tensor:
        """``value``, infinite with finite gradients, or finite with one that is NaN, as asked."""
        if self.now and self.where == f"{where} loss":
            return value + torch.inf
        return BadGradient.apply(value) if self.now and self.where == f"{where} gradient" else value


class BrokenLoss(NonSaturating):
    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        loss = super().discriminator(real_logits=real_logits, fake_logits=fake_logits)
        return self.faults.loss("discriminator", loss)

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self.faults.loss("generator", super().generator(fake_logits=fake_logits))


class BrokenPenalty(GradientPenalty):
    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def __call__(self, discriminator: Any, *, real: Tensor, fake: Tensor, draws: Any) -> Tensor:
        return self.faults.loss("penalty", discriminator(real).square().mean())


class Net(nn.Module):
    """A network with BatchNorm, spectral norm and a buffer that it replaces, as a user's own part may."""

    def __init__(self, inputs: int, outputs: list[int]) -> None:
        super().__init__()
        first = nn.utils.parametrizations.spectral_norm(nn.Linear(inputs, 16))
        last = nn.Linear(16, torch.Size(outputs).numel())
        self.layers = nn.Sequential(nn.Flatten(), first, nn.BatchNorm1d(16), nn.LeakyReLU(0.2), last)
        self.outputs = outputs
        self.register_buffer("mean", torch.zeros(inputs))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        if self.training:
            self.mean = self.mean.lerp(x.detach().float().flatten(1).mean(0), 0.1)
        return self.layers(x).view(len(x), *self.outputs)


class Features(Net):
    """The same as a discriminator's network."""

    def __init__(self) -> None:
        super().__init__(64, [8])
        self.feature_dim = 8

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # it reads no label
        return super().forward(x)


class WatchedGAN(GAN):
    """Shows its state between its two steps."""

    watch: Any = None

    def descend(self, name: str, terms: Any) -> bool:
        made = super().descend(name, terms)
        if name == "discriminator" and self.watch is not None:
            self.watch.between.append(everything(self))
        return made


def make_gan(faults: Faults, **options: Any) -> GAN:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "latent_dim": 6,
        "generator": Net(6, [1, 8, 8]),
        "discriminator": Features(),
        "head": PlainHead,
        "conditional": False,
        "num_classes": None,
        "adversarial_loss": BrokenLoss(faults),
        "gradient_penalty": None,
        "ema": ExponentialAverage(half_life=100.0, ramp=0.5),
        "generator_optimizer": functools.partial(adam, lr=1e-2),
        "discriminator_optimizer": functools.partial(adam, lr=1e-2),
        "d_steps_per_g_step": 1,
        "grad_clip": None,
        "seed": 3,
    }
    return WatchedGAN(**parts | options)


class BrokenEncoder(MLPEncoder):
    def __init__(self, faults: Faults) -> None:
        super().__init__(sample_shape=[1, 8, 8], embedding_dim=3, num_vectors=4, hidden_dim=16)
        self.faults = faults

    def forward(self, x: Tensor) -> Tensor:
        return self.faults.loss("encoder", super().forward(x))


class BrokenMSE(MSE):
    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        return self.faults.loss(
            "reconstruction", super().__call__(reconstruction=reconstruction, target=target)
        )


def make_vqvae(faults: Faults, quantizer: Quantizer | None = None, **options: Any) -> VQVAE:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "encoder": BrokenEncoder(faults),
        "quantizer": quantizer or EMAVectorQuantizer(7, 3, restart_threshold=0.9),
        "decoder": MLPDecoder(sample_shape=[1, 8, 8], embedding_dim=3, num_vectors=4, hidden_dim=16),
        "reconstruction_loss": BrokenMSE(faults),
        "optimizer": functools.partial(adam, lr=1e-2),
        "grad_clip": None,
        "seed": 3,
    }
    return VQVAE(**parts | options)


def everything(model: Recipe) -> dict[str, Any]:
    """Networks, averages and optimizers, copied; each optimizer under the name of what it moves."""
    state: dict[str, Any] = dict(copy.deepcopy(model.state_dict()))
    optimizers = model.trainer.optimizers
    for name, optimizer in zip(
        ("generator", "discriminator") if len(optimizers) == 2 else ("all",), optimizers
    ):
        for index, moments in optimizer.state_dict()["state"].items():
            state |= {f"{name}_optimizer.{index}.{key}": copy.deepcopy(x) for key, x in moments.items()}
    return state


class Watch(pl.Callback):
    """The state around each batch and after the discriminator's step, and what was reported."""

    def __init__(self) -> None:
        self.before: list[dict[str, Any]] = []
        self.after: list[dict[str, Any]] = []
        self.between: list[dict[str, Any]] = []
        self.reports: list[dict[str, Tensor]] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.before.append(everything(pl_module))
        pl_module.watch = self

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.after.append(everything(pl_module))
        self.reports.append(dict(pl_module.report))


@functools.cache
def digits() -> Digits:
    return Digits(batch_size=16, num_workers=0, seed=3, channels=1, image_size=8, num_classes=10)


def fit(model: Recipe, faults: Faults, batches: int = 6, **options: Any) -> tuple[pl.Trainer, Watch]:
    watch = Watch()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=batches,
        logger=False,
        enable_checkpointing=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch, faults],
        **options,
    )
    try:
        trainer.fit(model, datamodule=digits())
    except NonFiniteError as error:
        watch.after.append(everything(model))
        error.watch = watch  # type: ignore[attr-defined]
        raise
    return trainer, watch


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Names of the tensors that differ."""
    assert before.keys() == after.keys()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def parts(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


GAN_FAULTS = {
    "data": "data",
    "discriminator loss": "loss/discriminator",
    "discriminator gradient": "gradient_norm/discriminator",
    "penalty loss": "loss/gradient_penalty",
    "generator loss": "loss/generator",
    "generator gradient": "gradient_norm/generator",
}
D, G = {"discriminator", "discriminator_optimizer"}, {"generator", "generator_optimizer", "ema"}


def gan_for(where: str, **options: Any) -> tuple[GAN, Faults]:
    faults = Faults(where)
    if where.startswith("penalty"):
        options["gradient_penalty"] = BrokenPenalty(faults)
    return make_gan(faults, **options), faults


QUANTIZERS: dict[str, Callable[[], Quantizer]] = {
    "vq_ema": lambda: EMAVectorQuantizer(7, 3, restart_threshold=0.9),
    "vq": lambda: VectorQuantizer(7, 3, restart_after=1),
}
VQVAE_FAULTS = {
    "data": "data",
    "reconstruction loss": "loss/reconstruction",
    "reconstruction gradient": "gradient_norm/all",
    "encoder loss": "loss/reconstruction",
    "encoder gradient": "gradient_norm/all",
}

"""The fair peer: the same networks and losses in a LightningModule as a competent user writes it.

seed_everything, DataLoader(shuffle=True), manual optimization for the GANs, ModelCheckpoint at every batch
with all files kept, TensorBoard and CSV loggers in one folder, the average of G inside the training step,
resumed by fit(ckpt_path=the newest file that loads). No counter-based randomness, no hash, no file code.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus
from torch.utils.data import DataLoader, Dataset

STEPS, BATCH = 30, 64


class GAN(pl.LightningModule):
    """Non-saturating GAN; an average of G; lazy R1 every second batch where ``r1``."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent_dim: int, *, r1: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.latent_dim, self.r1 = latent_dim, r1
        import copy

        self.average = copy.deepcopy(generator).eval().requires_grad_(False)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = batch[0]
        optimizer_g, optimizer_d = self.optimizers()  # type: ignore[misc]
        fake = self.generator(torch.randn(len(real), self.latent_dim), None)
        loss_d = (
            softplus(-self.discriminator(real)).mean() + softplus(self.discriminator(fake.detach())).mean()
        )
        if self.r1 and batch_idx % 2:
            x = real.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.discriminator(x).sum(), x, create_graph=True)
            loss_d = loss_d + gradient.square().sum() / len(x) / 2
        optimizer_d.zero_grad()
        self.manual_backward(loss_d)
        optimizer_d.step()
        loss_g = softplus(-self.discriminator(fake)).mean()
        optimizer_g.zero_grad()
        self.manual_backward(loss_g)
        optimizer_g.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 0.01)
        self.log_dict({"loss/discriminator": loss_d, "loss/generator": loss_g})

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("validation/real_logits", self.discriminator(batch[0]).mean())

    def configure_optimizers(self) -> Any:
        networks = (self.generator, self.discriminator)
        return [torch.optim.Adam(n.parameters(), 2e-4, betas=(0.5, 0.999)) for n in networks], []


class VQVAE(pl.LightningModule):
    """Automatic optimization; the quantizer keeps its running means in buffers."""

    def __init__(self, encoder: nn.Module, quantizer: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        output = self.quantizer(self.encoder(batch[0]))
        loss = mse_loss(self.decoder(output.quantized), batch[0]) + output.loss
        self.log("loss/total", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        output = self.quantizer(self.encoder(batch[0]))
        self.log("validation/reconstruction_loss", mse_loss(self.decoder(output.quantized), batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), 3e-4)


class Digits(Dataset[Any]):
    """Images in [-1, 1], shifted or mirrored at random in training, by torch's own generator."""

    def __init__(self, part: Any, *, shift: bool = False, flip: bool = False) -> None:
        self.x, self.label, self.shift, self.flip = part.x.float() / 127.5 - 1, part.label, shift, flip

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        x = self.x[index]
        if self.shift:
            x = torch.roll(x, tuple(torch.randint(-1, 2, (2,)).tolist()), dims=(1, 2))
        if self.flip and torch.rand(()) < 0.5:
            x = x.flip(-1)
        return x, self.label[index]


def build(recipe: str) -> tuple[pl.LightningModule, Any]:
    """The module and the digits at its size."""
    from ganvas.data.digits import Digits as Stored
    from ganvas.model.critic import Critic
    from ganvas.model.decoder.conv import ConvDecoder
    from ganvas.model.discriminator.dcgan import DCGANDiscriminator
    from ganvas.model.encoder.conv import ConvEncoder
    from ganvas.model.generator.dcgan import DCGANGenerator
    from ganvas.model.generator.mlp import MLPGenerator
    from ganvas.model.head.plain import PlainHead
    from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

    stored = Stored(image_size=16 if recipe == "dcgan" else 8)
    stored.prepare()
    if recipe == "mlp_gan":
        d = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
        return GAN(MLPGenerator(8, [1, 8, 8], 16), d, 8, r1=True), stored
    if recipe == "dcgan":
        g = DCGANGenerator(latent_dim=8, channels=1, image_size=16, base_channels=4)
        network = DCGANDiscriminator(channels=1, image_size=16, base_channels=4)
        return GAN(g, Critic(network, PlainHead(network.feature_dim, init_std=0.02)), 8, r1=False), stored
    encoder = ConvEncoder(1, 4, hidden_channels=8, residual_channels=4, residual_blocks=1)
    decoder = ConvDecoder(1, 4, hidden_channels=8, residual_channels=4, residual_blocks=1)
    return VQVAE(encoder, EMAVectorQuantizer(num_embeddings=16, embedding_dim=4), decoder), stored


def train(recipe: str, workers: int, run: Path, *, resume: bool) -> int:
    """Trains to STEPS batches in ``run``; with ``resume`` from the newest checkpoint that can be loaded."""
    warnings.filterwarnings("ignore")
    pl.seed_everything(1, workers=True, verbose=False)
    module, stored = build(recipe)
    steps_a_batch = 1 if recipe == "vqvae" else 2  # Lightning counts both optimizers
    loaders = [
        DataLoader(
            Digits(stored.split(name), shift=train and recipe == "mlp_gan", flip=train and recipe == "dcgan"),
            batch_size=BATCH,
            shuffle=train,
            drop_last=train,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        for name, train in (("train", True), ("val", False))
    ]
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=STEPS * steps_a_batch,
        max_epochs=-1,
        val_check_interval=5,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=[
            TensorBoardLogger(run, name="", version="tensorboard"),
            CSVLogger(run, name="", version="csv"),
        ],
        callbacks=[
            ModelCheckpoint(
                run / "checkpoints",
                filename="{step:06d}",
                auto_insert_metric_name=False,
                save_top_k=-1,
                every_n_train_steps=steps_a_batch,
                save_last=True,
                save_on_exception=True,
            )
        ],
        default_root_dir=run,
    )
    trainer.fit(module, *loaders, ckpt_path=newest_loadable(run) if resume else None, weights_only=False)
    return 0


def newest_loadable(run: Path) -> Path | None:
    """The newest checkpoint that torch.load takes: what one tries by hand when ``last`` does not load."""
    return next((path for path in reversed(_numbered(run)) if _loads(path)), None)


def _loads(path: Path) -> bool:
    try:
        torch.load(path, map_location="cpu", weights_only=False)
    except Exception:
        return False
    return True


def _numbered(run: Path) -> list[Path]:
    return sorted(path for path in run.glob("checkpoints/*.ckpt") if path.stem.isdigit())


def steps_of(run: Path) -> Iterator[int]:
    """The steps that have a checkpoint, oldest first."""
    yield from (int(path.stem) for path in _numbered(run))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=("mlp_gan", "dcgan", "vqvae"))
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--run", type=Path, default=Path("run"))
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    raise SystemExit(train(given.recipe, given.workers, given.run, resume=given.resume))

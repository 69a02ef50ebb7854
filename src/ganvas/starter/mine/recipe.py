"""A recipe: its networks, what its optimizer moves, and one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.autoencoder import Autoencoder
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class DenoisingVQVAE(Autoencoder):
    """A VQ-VAE that sees noisy samples and is asked for the clean ones.

    Args:
        noise: standard deviation of the noise; samples lie in [-1, 1].
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        quantizer: Quantizer,
        decoder: nn.Module,
        reconstruction_loss: ReconstructionLoss,
        optimizer: Callable[[Any], Optimizer],
        noise: float,
        seed: int,
    ) -> None:
        super().__init__(encoder=encoder, quantizer=quantizer, decoder=decoder, seed=seed)
        require(noise >= 0, "noise", noise, "must be at least 0; 0.2 is a good start")
        self.reconstruction_loss, self.noise = reconstruction_loss, noise
        self.add_optimizer("all", optimizer, ["encoder", "quantizer", "decoder"])

    def step(self, batch: Batch, draws: Draws) -> None:
        """One batch; its random numbers come from ``draws``, so that a resumed run sees the same ones."""
        noisy = batch.x + self.noise * draws.normal("noise", *batch.x.shape)
        reconstruction, codes = self.autoencode(noisy)
        distance = self.reconstruction_loss(reconstruction=reconstruction, target=batch.x)
        self.note_codes(codes)
        self.descend("all", {"loss/reconstruction": distance, "loss/quantizer": codes.loss})

"""The VQ-VAE recipe (van den Oord 2017, arXiv:1711.00937): reconstruction + codebook + commitment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.autoencoder import Autoencoder
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class VQVAE(Autoencoder):
    """Vector-quantized autoencoder.

    Args:
        encoder: samples [B, ...] to latents [B, D, *positions].
        quantizer: latents to codes (see the part's interface).
        decoder: quantized latents back to samples.
        reconstruction_loss: distance of two samples, a scalar.
        optimizer: parameters to a torch optimizer; one for all three.
        grad_clip: largest gradient norm of all parameters together, or None.
        seed: the run's seed.
    """

    reports = (
        *("loss/reconstruction", "loss/reconstruction/", "loss/total"),
        *("gradient_norm/all", "learning_rate/all"),
        *("validation/reconstruction_loss", "validation/reconstruction_loss/", *Autoencoder.reports),
    )

    def __init__(
        self,
        *,
        encoder: nn.Module,
        quantizer: Quantizer,
        decoder: nn.Module,
        reconstruction_loss: ReconstructionLoss,
        optimizer: Callable[[Any], Optimizer],
        grad_clip: float | None,
        seed: int,
    ) -> None:
        super().__init__(encoder=encoder, quantizer=quantizer, decoder=decoder, seed=seed)
        self.reconstruction_loss = reconstruction_loss
        self.optimizer, self.grad_clip = optimizer, grad_clip
        self.add_optimizer("all", optimizer, ["encoder", "quantizer", "decoder"], grad_clip=grad_clip)

    def step(self, batch: Batch, draws: Draws) -> None:
        reconstruction, output = self.autoencode(batch.x)  # [B, ...]
        loss, terms = self.reconstruction_loss.with_terms(reconstruction=reconstruction, target=batch.x)
        self.note({"loss/reconstruction": loss})
        self.note({f"loss/reconstruction/{name}": term for name, term in terms.items()})
        self.note_codes(output)
        self.descend("all", {"loss/total": loss + output.loss})

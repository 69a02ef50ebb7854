"""A VQ-VAE of texts (van den Oord 2017, arXiv:1711.00937): its decoder says a probability of each symbol."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganvas.functional.modes import eval_mode
from ganvas.functional.precision import widened
from ganvas.model.autoencoder import Autoencoder
from ganvas.model.vqvae import VQVAE


class TextVQVAE(VQVAE):
    """Samples are symbols int64 [B, T], and what the decoder makes are logits [B, V, T].

    Args: see :class:`ganvas.model.vqvae.VQVAE`.
    """

    makes_logits = True
    reports = (
        *(name for name in VQVAE.reports if name not in Autoencoder.reports),
        *(name for name in Autoencoder.reports if name != "validation/psnr"),
        *("validation/accuracy", "validation/decoder_bits_per_symbol"),
    )

    def to_samples(self, made: Tensor) -> Tensor:
        """The likeliest symbol of each place, int64 [B, T]."""
        return made.argmax(1)

    def sample_sums(self, shown: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": widened((shown == target).float().flatten(1).mean(1)).sum()}

    def sample_metrics(self, sums: dict[str, Tensor], count: int) -> dict[str, float]:
        return {"accuracy": sums.pop("accuracy").item() / count}

    def reconstruction_sums(self, reconstruction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Also the bits a symbol that say the symbols given their codes."""
        nats = widened(_nats(reconstruction, target))  # [B]
        left = nats.sum() / math.log(2) / target.shape[1]
        return super().reconstruction_sums(reconstruction, target) | {"decoder_bits_per_symbol": left}

    @torch.no_grad()
    def rest_nats(self, x: Tensor, codes: Tensor) -> Tensor:
        """-log p(x | codes), what the decoder leaves of symbols int64 [B, T], as [B] in the widest type.

        Args:
            codes: int64 [B, levels, *positions].
        """
        with eval_mode(self.quantizer, self.decoder):
            return widened(_nats(self.decoder(self.quantizer.decode(codes)), x))


def _nats(logits: Tensor, x: Tensor) -> Tensor:
    """-log p of symbols int64 [B, T] by logits [B, V, T], summed over T."""
    return cross_entropy(logits.float(), x, reduction="none").sum(1)

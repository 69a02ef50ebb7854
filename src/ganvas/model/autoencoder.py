"""What every recipe with an encoder, a quantizer and a decoder can do, however it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch, DataFacts
from ganvas.functional.modes import eval_mode
from ganvas.functional.precision import widened
from ganvas.model.interface import Reconstruction
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss
from ganvas.model.training.recipe import Recipe


class Autoencoder(Recipe):
    """Reconstructs, and is validated by its reconstructions; what trains it is the subclass's ``step``.

    Attributes:
        reconstruction_loss: set by a subclass that has one: what it asks of data and decoder is seen to here.

    Args:
        encoder: samples [B, ...] to latents [B, D, *positions].
        quantizer: latents to codes (see the part's interface).
        decoder: quantized latents back to samples.
        seed: the run's seed.
    """

    reconstruction_loss: ReconstructionLoss
    reports: ClassVar[tuple[str, ...]] = (
        *("loss/codebook", "loss/commitment", "codes/", "schedule/"),
        *("validation/psnr", "validation/perplexity", "validation/codes_used"),
    )

    def __init__(self, *, encoder: nn.Module, quantizer: Quantizer, decoder: nn.Module, seed: int) -> None:
        super().__init__(seed=seed)
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder

    @property
    def num_codes(self) -> int:
        return self.quantizer.num_codes

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`: codes that remember most of a short run."""
        lines = super().out_of_reach(batches, examples)
        decay = getattr(self.quantizer, "decay", None)  # of codes that are running means, per batch
        if decay is None or batches * (1 - decay) >= 3:
            return lines
        rule = f"codes remember {1 / (1 - decay):.0f} batches, and the run has {batches}"
        shorter = max(0.0, math.floor((1 - 10 / batches) * 100) / 100) if batches > 10 else 0.0
        return [*lines, f"model.quantizer.decay={decay:g}: {rule}; {shorter:g} lets them follow the encoder"]

    def autoencode(self, x: Tensor) -> tuple[Tensor, QuantizerOutput]:
        """Samples [B, ...] to their reconstructions, not clamped, and what the quantizer made of them."""
        output = self.quantizer(self.encoder(x))
        return self.decoder(output.quantized), output

    def note_codes(self, output: QuantizerOutput) -> None:
        """Notes the quantizer's own numbers for the logs: its losses before weights, its codes' usage."""
        self.note({_TAGS.get(name, f"codes/{name}"): value for name, value in output.metrics.items()})

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Reconstruction:
        """See :class:`ganvas.model.interface.Reconstructs`; clamped to [-1, 1]."""
        reconstruction, indices = self._in_eval_mode(x)
        return Reconstruction(reconstruction.clamp(-1, 1), indices)

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...] and each other."""
        try:
            super().check_sample(x)
        except OptionError as error:
            raise error.under("quantizer") if error.option == "embedding_dim" else error from None
        loss = self._loss
        fits = loss is None or not loss.needs_bounded or getattr(self.decoder, "is_bounded", False)
        rule = "the reconstruction loss takes samples in [-1, 1] alone, and the decoder makes others; tanh"
        require(fits, "decoder.output", "linear", rule)

    def check_data(self, facts: Callable[[], DataFacts]) -> None:
        if self._loss is not None:
            try:
                self._loss.check(facts)
            except OptionError as error:
                raise error.under("reconstruction_loss") from error

    def rests_on(self) -> dict[str, object]:
        return {} if self._loss is None else self._loss.rests_on()

    @property
    def _loss(self) -> ReconstructionLoss | None:
        loss = getattr(self, "reconstruction_loss", None)
        return loss if isinstance(loss, ReconstructionLoss) else None

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Samples [B, ...] in [-1, 1] to their codes int64 [B, *positions]; networks in eval mode."""
        with eval_mode(self.encoder, self.quantizer):
            return self.quantizer.encode(self.encoder(x))

    @torch.no_grad()
    def decode(self, indices: Tensor) -> Tensor:
        """Codes int64 [B, *positions] to samples [B, ...], clamped to [-1, 1]; networks in eval mode."""
        with eval_mode(self.quantizer, self.decoder):
            return self.decoder(self.quantizer.decode(indices)).clamp(-1, 1)

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        reconstruction, indices = self._in_eval_mode(batch.x)
        shown = reconstruction.clamp(-1, 1)
        squared = ((shown - batch.x) / 2).square().flatten(1).mean(1)  # of values in [0, 1]
        return self.reconstruction_sums(reconstruction, batch.x) | {
            "squared_error": widened(squared).sum(),
            "code_counts": torch.bincount(indices.flatten(), minlength=self.num_codes),
        }

    def reconstruction_sums(self, reconstruction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """More sums over a held-out batch's samples [B, ...]; their means are reported.

        Reconstructions are not clamped here, as in training: a loss over them compares with training's.
        """
        return {}

    @torch.no_grad()
    def _in_eval_mode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Samples [B, ...] to their reconstructions, not clamped, and codes."""
        with eval_mode(self.encoder, self.quantizer, self.decoder):
            reconstruction, output = self.autoencode(x)
        return reconstruction, output.indices

    def validation_metrics(self, sums: Mapping[str, Tensor], count: int) -> dict[str, float]:
        own = {name: value for name, value in sums.items() if name not in ("squared_error", "code_counts")}
        counts = sums["code_counts"]
        share = counts / counts.sum().clamp(min=1)
        return super().validation_metrics(own, count) | {
            "psnr": -10 * math.log10(max(sums["squared_error"].item() / count, 1e-12)),
            "perplexity": torch.special.entr(share).sum().exp().item(),
            "codes_used": float((counts > 0).sum()),
        }


_TAGS = {
    "codebook_loss": "loss/codebook",
    "commitment_loss": "loss/commitment",
    "codes_used": "codes/used",
    "perplexity": "codes/perplexity",
}

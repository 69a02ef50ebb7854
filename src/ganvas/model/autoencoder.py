"""What every recipe with an encoder, a quantizer and a decoder can do, however it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch, DataFacts
from ganvas.functional.code_usage import counts_to_sum, usage
from ganvas.functional.modes import eval_mode
from ganvas.functional.precision import widened
from ganvas.model.interface import Reconstruction, has_codes, has_one_size
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss
from ganvas.model.reconstruction_loss.sum import Sum
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
    makes_logits: ClassVar[bool] = False  # of symbols; else values of samples
    reports: ClassVar[tuple[str, ...]] = (
        *("codes/", "schedule/"),
        *("validation/psnr", "validation/perplexity", "validation/codes_used"),
    )

    def __init__(self, *, encoder: nn.Module, quantizer: Quantizer, decoder: nn.Module, seed: int) -> None:
        super().__init__(seed=seed)
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return self.quantizer.codebook_sizes

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`: codes that remember most of a short run."""
        lines = super().out_of_reach(batches, examples)
        decays = {  # of codes that are running means, per batch
            _option(name, "decay"): module.decay
            for name, module in self.quantizer.named_modules()
            if hasattr(module, "decay")
        }
        shorter = max(0.0, math.floor((1 - 10 / batches) * 100) / 100) if batches > 10 else 0.0
        for option, decay in decays.items():
            if batches * (1 - decay) < 3:
                rule = f"codes remember {1 / (1 - decay):.0f} batches, and the run has {batches}"
                lines = [*lines, f"{option}={decay:g}: {rule}; {shorter:g} lets them follow the encoder"]
        return lines

    def autoencode(self, x: Tensor) -> tuple[Tensor, QuantizerOutput]:
        """Samples [B, ...] to their reconstructions, not clamped, and what the quantizer made of them."""
        z = self.encoder(x)
        try:
            output = self.quantizer(z)
        except OptionError as error:
            # where networks are checked before training, the path is completed there
            raise error.under("model.quantizer" if self.quantizer.training else "quantizer") from error
        made = self.decoder(output.quantized)
        # a sound longer or shorter than those of training: what the encoder has put behind it is cut off
        return (made[:, :, : x.shape[2]] if x.ndim == 3 else made), output

    def note_codes(self, output: QuantizerOutput) -> None:
        """Notes the quantizer's own numbers for the logs: its losses before weights, its codes' usage."""
        noted = {}
        for name, value in output.metrics.items():
            loss = name.removesuffix("_loss")
            noted[f"codes/{name.removeprefix('codes_')}" if loss == name else f"loss/{loss}"] = value
        self.note(noted)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Reconstruction:
        """See :class:`ganvas.model.interface.Reconstructs`; clamped to [-1, 1]."""
        reconstruction, indices = self._in_eval_mode(x)
        return Reconstruction(self.to_samples(reconstruction), indices)

    def to_samples(self, made: Tensor) -> Tensor:
        """What the decoder makes, to samples [B, ...]: clamped to [-1, 1]."""
        return made.clamp(-1, 1)

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...] and each other."""
        try:
            super().check_sample(x)
        except OptionError as error:
            raise error.under("quantizer") if error.option == "embedding_dim" else error from None
        loss = self._loss
        of_logits = loss is not None and loss.of_logits
        rule = "is of symbols, and this model makes values" if of_logits else "is of values"
        how = "; model/reconstruction_loss=mse" if of_logits else "; model/reconstruction_loss=cross_entropy"
        named = type(loss).__name__ if not isinstance(loss, Sum) else ", ".join(loss.terms)
        require(loss is None or of_logits == self.makes_logits, "reconstruction_loss", named, rule + how)
        fits = loss is None or not loss.needs_bounded or getattr(self.decoder, "is_bounded", False)
        rule = "the reconstruction loss takes samples in [-1, 1] alone, and the decoder makes others; tanh"
        require(fits, "decoder.output", "linear", rule)

    def check_first_batch(self, x: Tensor, samples: int) -> None:
        """Nothing for codes that do not keep the contract of ``ganvas.model.quantizer``."""
        if not has_codes(self):
            return
        indices, one = self.encode(x), has_one_size(self)
        held: Any = (self.quantizer,) if one else self.quantizer.quantizers
        for own, quantizer in zip((indices,) if one else indices, held, strict=True):
            try:
                quantizer.require_vectors(samples * own.shape[2:].numel())
            except OptionError as error:
                raise error.under("quantizer") from error

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
        """Samples [B, ...] in [-1, 1] to their codes int64 [B, levels, *positions]; networks in eval mode."""
        with eval_mode(self.encoder, self.quantizer):
            return self.quantizer.encode(self.encoder(x))

    @torch.no_grad()
    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:
        """Codes int64 [B, levels, *positions] to samples [B, ...], clamped to [-1, 1]; networks in eval mode.

        Args:
            levels: how many of the first levels to take; all that are given without.
        """
        with eval_mode(self.quantizer, self.decoder):
            return self.to_samples(self.decoder(self.quantizer.decode(indices, levels)))

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        reconstruction, indices = self._in_eval_mode(batch.x)
        return self.reconstruction_sums(reconstruction, batch.x) | {
            **self.sample_sums(self.to_samples(reconstruction), batch.x),
            **{
                f"{_COUNTS}{level}": counts_to_sum(own, size)
                for level, (own, size) in enumerate(zip(indices, self.codebook_sizes, strict=True))
            },
        }

    def sample_sums(self, shown: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Sums over held-out samples of how far those that are ``shown`` are from them."""
        squared = ((shown - target) / 2).square().flatten(1).mean(1)  # of values in [0, 1]
        return {"squared_error": widened(squared).sum()}

    def sample_metrics(self, sums: dict[str, Tensor], count: int) -> dict[str, float]:
        """What is reported of :meth:`sample_sums`, which it takes out of ``sums``."""
        squared_error = sums.pop("squared_error").item() / count
        return {"psnr": -10 * math.log10(max(squared_error, 1e-12))}

    def reconstruction_sums(self, reconstruction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """More sums over a held-out batch's samples, whose means are reported: the loss and its terms.

        Reconstructions are not clamped here, as in training: a loss over them compares with training's.
        """
        if self._loss is None:
            return {}
        loss, terms = self._loss.with_terms(reconstruction=reconstruction, target=target)
        named = {"reconstruction_loss": loss}
        named |= {f"reconstruction_loss/{name}": term for name, term in terms.items()}
        return {name: widened(value) * len(target) for name, value in named.items()}

    @torch.no_grad()
    def _in_eval_mode(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Samples [B, ...] to their reconstructions, not clamped, and each level's codes."""
        with eval_mode(self.encoder, self.quantizer, self.decoder):
            reconstruction, output = self.autoencode(x)
        maps = (output.indices,) if isinstance(output.indices, Tensor) else output.indices
        return reconstruction, tuple(level for one in maps for level in one.unbind(1))

    def validation_metrics(self, sums: Mapping[str, Tensor], count: int) -> dict[str, float]:
        own = dict(sums)
        of_samples = self.sample_metrics(own, count)
        levels = [usage(own.pop(name)) for name in sums if name.startswith(_COUNTS)]
        return super().validation_metrics(own, count) | {
            **of_samples,
            **{name: sum(one[name].item() for one in levels) / len(levels) for name in levels[0]},
        }


_COUNTS = "code_counts/"


def _option(module: str, name: str) -> str:
    """The key of an option of one of the quantizer's modules, e.g. ``model.quantizer.inner.decay``."""
    inner = sum(part.startswith("inner") for part in module.split("."))
    return f"model.quantizer{'.inner' * inner}.{name}"

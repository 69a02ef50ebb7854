"""How many bits a prior says a split's codes in, beside how well its tokenizer reconstructs the samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.precision import home_of_float64
from ganvas.metric.evaluate import EvaluatedData, EvaluationResult, evaluating, is_mine, require_samples
from ganvas.metric.rate_distortion.lossless import MEANS, bits_of_a_sample, lossless_bits
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.version import __version__

BETTER = {"bits_per_dim": "min", "nats_per_code": "min", "psnr": "max"}


class Likelihood(Protocol):
    """What is asked of a prior's recipe (``ganvas.model.code_model.CodeModel`` in full)."""

    tokenizer: Any

    def bits(self, codes: Tensor, label: Tensor | None, *, start: int = 0, ema: bool = True) -> Tensor: ...

    def describe_bits(self, bits: float) -> dict[str, float]: ...


class CodeData(EvaluatedData, Protocol):
    """Data with codes (``ganvas.data.codes.Codes`` in full)."""

    def codes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]: ...


class LikelihoodEvaluation:
    """Judges a prior over codes by the codes of a split.

    Args:
        batch_size: samples at a time, per rank.
        split: ``train``, ``val`` or ``test``.
        limit: samples at most; None takes the whole split.
        ema: take the averaged weights where the recipe has them.
    """

    def __init__(self, *, batch_size: int, split: str, limit: int | None = None, ema: bool = True) -> None:
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        self.batch_size, self.split, self.limit, self.ema = batch_size, split, limit, ema

    def check(self, data: EvaluatedData) -> None:
        """Raises OptionError where the split is empty."""
        require_samples(data, self.split, data.num_samples(self.split), 1)

    def __call__(self, module: nn.Module, data: EvaluatedData) -> EvaluationResult:
        """The metrics of the module as it is now; every rank calls it and gets the same.

        Returns:
            ``bits_per_image`` (or of what the samples are), ``bits_per_dim`` (by the values of a sample),
            ``nats_per_code``, of the codes alone; and what the modality measures of what the tokenizer
            decodes of the true codes, e.g. ``psnr``. Of symbols ``bits_per_text`` and ``bits_per_byte``
            are of all that brings them back (:mod:`ganvas.metric.rate_distortion.lossless`).
        """
        self.check(data)
        likelihood, coded = cast("Likelihood", module), cast("CodeData", data)
        with evaluating(module) as device:
            home = home_of_float64(device)
            total = torch.zeros(3, dtype=torch.float64, device=home)  # bits, samples, nats left
            kind, shape = data.modality, likelihood.tokenizer.sample_shape
            quality = ReconstructionQuality(kind, shape).to(home)
            start = 0
            pairs = zip(
                coded.codes(self.split, self.batch_size, self.limit),
                data.batches(self.split, self.batch_size, self.limit),
                strict=True,
            )
            for number, (batch, real) in enumerate(pairs):
                if is_mine(number):
                    codes = batch.x.to(device)
                    label = None if batch.label is None else batch.label.to(device)
                    bits = likelihood.bits(codes, label, start=start, ema=self.ema)
                    left = total.new_zeros(())
                    if kind.is_discrete:
                        left = likelihood.tokenizer.rest_nats(real.x.to(device), codes).to(total).sum()
                    total += torch.stack([bits.to(total).sum(), total.new_tensor(len(codes)), left])
                    decoded = likelihood.tokenizer.decode(codes).to(home)
                    quality.update(original=real.x.to(home), reconstruction=decoded)
                start += len(batch.x)
            bits_sum, count, nats_sum = sum_over_ranks(total).tolist()
            lossy = kind.is_discrete and not getattr(likelihood.tokenizer, "is_lossless", False)
            if lossy:
                told = lossless_bits(bits_sum / count, nats_sum / count, kind, shape)
            else:
                told = bits_of_a_sample(bits_sum / count, kind, shape)
            told |= likelihood.describe_bits(bits_sum / count)
            shown = {} if kind.is_discrete and not lossy else quality.better  # symbols are what they are
            decoder = {name: float(one) for name, one in quality.compute().items() if name in shown}
        better = {name: "min" for name in told if not name.startswith("code_")} | shown
        protocol = self._protocol(module, data, told, quality if shown else None)
        return EvaluationResult(told | decoder, protocol, better)

    def _protocol(
        self,
        module: Any,
        data: EvaluatedData,
        metrics: dict[str, float],
        quality: ReconstructionQuality | None,
    ) -> dict[str, object]:
        averaged = self.ema and getattr(module, "ema", None) is not None
        estimates = getattr(module, "estimates", None)
        bits: dict[str, object] = {
            "metrics": list(metrics),
            "code": "-log2 p of the codes"
            if estimates is None
            else f"an upper bound of -log2 p of the codes, by {estimates} draws a sample",
            "tokenizer": module.tokenizer.sha256,
            "judges": "codes",
        }
        if data.modality.is_discrete:
            bits |= {"lossless": MEANS, "units": dict(data.modality.units(module.tokenizer.sample_shape))}
        parts: dict[str, object] = {"bits": bits}
        if quality is not None and quality.better:
            decoder: dict[str, object] = {one.name: dict(one.protocol) for one in quality.measures}
            if quality.modality.has_psnr:
                decoder["psnr"] = "of the split's mse, data range 1"
            of_codes = {"of": "the true codes", "metrics": list(quality.better), "judges": "codes"}
            parts["decoder"] = decoder | of_codes
        return {
            "ganvas": __version__,
            "data": data.describe_split(self.split, self.limit),
            "weights": "ema" if averaged else "raw",
            "metrics": parts,
        }

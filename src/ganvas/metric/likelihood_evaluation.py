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
from ganvas.metric.lossless import LosslessBits, symbols_of
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.version import __version__

BETTER = {
    "bits_per_image": "min",
    "bits_per_dim": "min",
    "nats_per_code": "min",
    "psnr": "max",
    # of texts
    "bits_per_text": "min",
    "bits_per_byte": "min",
    "code_bits_per_byte": "min",
    "decoder_bits_per_byte": "min",
    "accuracy": "max",
}


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
            ``bits_per_image``, ``bits_per_dim`` (by the values of a sample), ``nats_per_code``, of the codes
            alone; for images ``psnr`` of what the tokenizer decodes of the true codes. Of texts
            ``bits_per_text`` of the codes and ``bits_per_byte`` of all that brings the text back; where codes
            are not the symbols themselves its two parts and the ``accuracy`` of what is decoded.
        """
        self.check(data)
        likelihood, coded = cast("Likelihood", module), cast("CodeData", data)
        with evaluating(module) as device:
            home = home_of_float64(device)
            total = torch.zeros(2, dtype=torch.float64, device=home)
            shape = list(likelihood.tokenizer.sample_shape)
            modality = symbols_of(likelihood.tokenizer.data)
            quality = lossless = None
            if modality is None:
                quality = ReconstructionQuality(shape).to(home)
            else:
                lossless = LosslessBits(modality, shape, home)
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
                    total += torch.stack([bits.to(home, torch.float64).sum(), total.new_tensor(len(codes))])
                    decoded = likelihood.tokenizer.decode(codes)
                    if quality is not None:
                        quality.update(original=real.x.to(home), reconstruction=decoded.to(home))
                    if lossless is not None:
                        x = real.x.to(device)
                        nats = likelihood.tokenizer.rest_nats(x, codes)
                        lossless.update(original=x, reconstruction=decoded, nats=nats)
                start += len(batch.x)
            bits_sum, count = sum_over_ranks(total).tolist()
            metrics = likelihood.describe_bits(bits_sum / count)
            if quality is not None and quality.images:
                metrics["psnr"] = float(quality.compute()["psnr"])
            if lossless is not None and metrics.keys().isdisjoint(lossless.units):  # codes are not all
                metrics |= lossless.compute(bits_sum / count)
            else:
                lossless = None
        better = {name: way for name, way in BETTER.items() if name in metrics}
        return EvaluationResult(metrics, self._protocol(module, data, metrics, lossless), better)

    def _protocol(
        self, module: Any, data: EvaluatedData, metrics: dict[str, float], lossless: LosslessBits | None
    ) -> dict[str, object]:
        averaged = self.ema and getattr(module, "ema", None) is not None
        estimates = getattr(module, "estimates", None)
        parts: dict[str, Any] = {}
        if lossless is not None:
            parts["lossless"] = lossless.protocol("by the prior") | {"judges": "codes"}
            parts["decoder"] = {"accuracy": "of symbols, from the true codes", "metrics": ["accuracy"]}
            parts["decoder"]["judges"] = "codes"
        elsewhere = {"psnr", *(name for part in parts.values() for name in part["metrics"])}
        bits: dict[str, object] = {
            "metrics": [name for name in metrics if name not in elsewhere],
            "code": "-log2 p of the codes"
            if estimates is None
            else f"an upper bound of -log2 p of the codes, by {estimates} draws a sample",
            "tokenizer": module.tokenizer.sha256,
            "judges": "codes",
        }
        of_psnr = "of the split's mse, data range 1, from the true codes"
        decoder = {"psnr": of_psnr, "metrics": ["psnr"], "judges": "codes"}
        return {
            "ganvas": __version__,
            "data": data.describe_split(self.split, self.limit),
            "weights": "ema" if averaged else "raw",
            "metrics": {"bits": bits} | parts | ({"decoder": decoder} if "psnr" in metrics else {}),
        }

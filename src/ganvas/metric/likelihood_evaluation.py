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
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.metric.reconstruction_evaluation import bits_of_a_sample
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
            decodes of the true codes, e.g. ``psnr``.
        """
        self.check(data)
        likelihood, coded = cast("Likelihood", module), cast("CodeData", data)
        with evaluating(module) as device:
            home = home_of_float64(device)
            total = torch.zeros(2, dtype=torch.float64, device=home)
            shape = likelihood.tokenizer.sample_shape
            quality = ReconstructionQuality(data.modality, shape).to(home)
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
                    decoded = likelihood.tokenizer.decode(codes).to(home)
                    quality.update(original=real.x.to(home), reconstruction=decoded)
                start += len(batch.x)
            bits_sum, count = sum_over_ranks(total).tolist()
            told = bits_of_a_sample(bits_sum / count, data.modality, shape)
            told |= likelihood.describe_bits(bits_sum / count)
            decoder = {name: float(one) for name, one in quality.compute().items() if name in quality.better}
        better = dict.fromkeys(told, "min") | quality.better
        return EvaluationResult(told | decoder, self._protocol(module, data, told, quality), better)

    def _protocol(
        self, module: Any, data: EvaluatedData, metrics: dict[str, float], quality: ReconstructionQuality
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
        decoder: dict[str, object] = {one.name: dict(one.protocol) for one in quality.measures}
        if quality.modality.has_psnr:
            decoder["psnr"] = "of the split's mse, data range 1"
        decoder |= {"of": "the true codes", "metrics": list(quality.better), "judges": "codes"}
        return {
            "ganvas": __version__,
            "data": data.describe_split(self.split, self.limit),
            "weights": "ema" if averaged else "raw",
            "metrics": {"bits": bits} | ({"decoder": decoder} if quality.better else {}),
        }

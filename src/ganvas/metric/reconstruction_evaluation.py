"""How well a recipe reconstructs a split, and how it uses its codes, with the protocol of the metrics."""

from __future__ import annotations

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.precision import home_of_float64
from ganvas.metric.codebook import CodeUsage
from ganvas.metric.evaluate import EvaluatedData, EvaluationResult, evaluating, is_mine, require_samples
from ganvas.metric.interface import FeatureExtractor, Observation
from ganvas.metric.perceptual.interface import PerceptualDistance
from ganvas.metric.rate_distortion.lossless import MEANS, bits_of_a_sample, lossless_bits
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.metric.samples.fid import FID
from ganvas.version import __version__

BETTER = {
    "mse": "min",
    "nmse": "min",
    "rfid": "min",
    "perplexity": "max",
    "codes_used": "max",
    "code_usage": "max",
    "dead_codes": "min",
    # of symbols
    "bits_per_text": "min",
    "bits_per_byte": "min",
    "decoder_bits_per_byte": "min",
}


class _Reconstruction(Protocol):
    x: Tensor
    indices: tuple[Tensor, ...]


class Reconstructor(Protocol):
    """What is asked of a recipe that reconstructs (``ganvas.model.interface.Reconstructs`` in full)."""

    codebook_sizes: tuple[int, ...]

    def reconstruct(self, x: Tensor) -> _Reconstruction: ...


class SymbolReconstructor(Reconstructor, Protocol):
    """What is asked besides of one of symbols (``ganvas.model.text_vqvae.TextVQVAE`` in full)."""

    def encode(self, x: Tensor) -> Tensor: ...

    def rest_nats(self, x: Tensor, codes: Tensor) -> Tensor: ...


class ReconstructionEvaluation:
    """Judges reconstructions of a split.

    Args:
        features: where given, also ``rfid``: the Frechet distance of reconstructions to originals.
        perceptual: where given, also its distance of reconstructions to originals.
        batch_size: samples at a time, per rank.
        split: ``train``, ``val`` or ``test``.
        limit: samples at most; None takes the whole split.
    """

    def __init__(
        self,
        *,
        features: FeatureExtractor | None,
        perceptual: PerceptualDistance | None = None,
        batch_size: int,
        split: str,
        limit: int | None = None,
    ) -> None:
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        self.features, self.perceptual = features, perceptual
        self.batch_size, self.split, self.limit = batch_size, split, limit

    def check(self, data: EvaluatedData) -> None:
        """Raises OptionError where the split holds too little or an extractor does not fit the data."""
        looks = not data.modality.is_discrete  # at features, which symbols have not
        held, needed = data.num_samples(self.split), 2 if looks and self.features is not None else 1
        require_samples(data, self.split, held, needed)
        if not looks:
            return
        if self.features is not None:
            self.features.check(data.facts())
        if self.perceptual is not None:
            self.perceptual.check(data.facts())

    def __call__(self, module: nn.Module, data: EvaluatedData) -> EvaluationResult:
        """The metrics of the module as it is now; every rank calls it and gets the same.

        Returns:
            ``mse``, ``nmse``, for images ``psnr``, ``ssim`` and, where they are large enough, ``ms_ssim``
            (see :class:`ganvas.metric.reconstruction.ReconstructionQuality`);
            ``perplexity``, ``codes_used``, ``code_usage``, ``dead_codes``; ``bits_per_image`` (of each level
            the indices a sample times log2 of its number of codes) and ``bits_per_pixel``, or as the
            modality counts. Of symbols these are the bits of all that brings them back
            (:mod:`ganvas.metric.rate_distortion.lossless`).
        """
        self.check(data)
        reconstructor = cast("Reconstructor", module)
        with evaluating(module) as device:
            home = home_of_float64(device)
            first = next(iter(data.batches(self.split, 1, 1))).x.to(device)
            kind, shape = data.modality, list(first.shape[1:])
            quality = ReconstructionQuality(kind, shape).to(home)
            usage = CodeUsage(reconstructor.codebook_sizes).to(home)
            distance = None if kind.is_discrete else self._distance(first, home)
            perceptual = None if kind.is_discrete else self.perceptual
            if perceptual is not None:
                perceptual.to(home).reset()
            left = torch.zeros((), dtype=torch.float64, device=home)
            count = self._show(reconstructor, data, quality, usage, distance, device, left)
            values = quality.compute() | usage.compute()
            if perceptual is not None:
                values |= perceptual.compute()
            metrics = {name: float(value) for name, value in values.items()}
            bits = _bits(reconstructor, first)
            if kind.is_discrete:
                nats = float(sum_over_ranks(left)) / int(sum_over_ranks(quality.num_samples))
                metrics |= lossless_bits(bits, nats, kind, shape)
            else:
                metrics |= bits_of_a_sample(bits, kind, shape)
            if distance is not None:
                metrics["rfid"] = float(distance.compute()["fid"]) if count else math.nan
        ways = BETTER | quality.better | (perceptual.better if perceptual is not None else {})
        better = {name: way for name, way in ways.items() if name in metrics}
        return EvaluationResult(metrics, self._protocol(data, quality, usage, distance), better)

    def _distance(self, first: Tensor, home: torch.device) -> FID | None:
        if self.features is None:
            return None
        distance = FID()
        distance.begin(self.features(first).features.shape[1], None)
        return distance.to(home)

    def _show(
        self,
        reconstructor: Reconstructor,
        data: EvaluatedData,
        quality: ReconstructionQuality,
        usage: CodeUsage,
        distance: FID | None,
        device: torch.device,
        left: Tensor,
    ) -> bool:
        """Shows the metrics this rank's batches; returns whether every reconstruction is finite.

        ``left`` is where the nats are added that a decoder of symbols leaves.
        """
        home = home_of_float64(device)
        broken = torch.zeros((), dtype=torch.int64, device=device)
        for number, batch in enumerate(data.wholes(self.split, self.batch_size, self.limit)):
            if not is_mine(number):
                continue
            original = batch.x.to(device)
            made = reconstructor.reconstruct(original)
            broken += (~made.x.isfinite()).any().int()
            quality.update(original=original.to(home), reconstruction=made.x.to(home))
            usage.update([one.to(home) for one in made.indices])
            if data.modality.is_discrete:
                symbols = cast("SymbolReconstructor", reconstructor)
                left += symbols.rest_nats(original, symbols.encode(original)).to(left).sum()
            elif self.perceptual is not None:
                self.perceptual.update(original=original, reconstruction=made.x)
            if distance is not None and not data.is_cut_up:
                self._show_features(distance, original, made.x)
        if distance is not None and data.is_cut_up:  # features are of samples of one size
            for number, batch in enumerate(data.batches(self.split, self.batch_size, self.limit)):
                if is_mine(number):
                    original = batch.x.to(device)
                    self._show_features(distance, original, reconstructor.reconstruct(original).x)
        return int(sum_over_ranks(broken)) == 0

    def _show_features(self, distance: FID, original: Tensor, made: Tensor) -> None:
        assert self.features is not None
        home = home_of_float64(original.device)
        index = torch.arange(len(original), device=home)
        for side, x in (("real", original), ("generated", made)):
            distance.update(Observation(index, self.features(x).features.to(home)), side=side)

    def _protocol(
        self,
        data: EvaluatedData,
        quality: ReconstructionQuality,
        usage: CodeUsage,
        distance: FID | None,
    ) -> dict[str, object]:
        metrics: dict[str, object] = dict(quality.protocol)
        metrics["codes"] = usage.protocol | {"metrics": list(usage.compute())}
        kind, shape = quality.modality, data.facts().sample_shape
        told = (
            (lossless_bits(0.0, 0.0, kind, shape)) if kind.is_discrete else bits_of_a_sample(0.0, kind, shape)
        )
        metrics["bits"] = {
            "code": "fixed length: indices a sample times log2 of the codes, over levels",
            "metrics": list(told),
            **({"lossless": MEANS, "units": dict(kind.units(shape))} if kind.is_discrete else {}),
        }
        if self.perceptual is not None and not kind.is_discrete:
            metrics["perceptual"] = self.perceptual.protocol | {"metrics": list(self.perceptual.better)}
        if distance is not None and self.features is not None:
            features = {"features": dict(self.features.protocol)}
            metrics["rfid"] = distance.protocol | features | {"metrics": ["rfid"]}
        return {
            "ganvas": __version__,
            "data": data.describe_split(self.split, self.limit),
            "weights": "raw",
            "metrics": metrics,
        }


def _bits(reconstructor: Reconstructor, first: Tensor) -> float:
    """Of each level the indices a sample times log2 of its number of codes."""
    levels = zip(reconstructor.reconstruct(first).indices, reconstructor.codebook_sizes, strict=True)
    return sum(indices[0].numel() * math.log2(size) for indices, size in levels)

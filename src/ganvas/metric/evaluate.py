"""Figures of a trained recipe, each with the protocol that made it.

The callback and the command ``evaluate`` both call the functions below. Ranks share the work by batch
number and sum before anything is computed, so every rank gets the figures of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ganvas import __version__
from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.distributed import rank, sum_over_ranks, world_size
from ganvas.metric.codebook import CodeUsage
from ganvas.metric.frechet import FrechetDistance
from ganvas.metric.interface import FeatureExtractor
from ganvas.metric.reconstruction import ReconstructionQuality

Figures = dict[str, float]
ProtocolOfFigures = dict[str, object]


class _Reconstruction(Protocol):
    x: Tensor
    indices: Tensor


class Sampler(Protocol):
    """What is asked of a recipe that makes samples (``ganvas.model.interface.Samples`` in full)."""

    def sample(self, num: int, seed: int, *, ema: bool = True, start: int = 0) -> Tensor: ...


class Reconstructor(Protocol):
    """What is asked of a recipe that reconstructs (``ganvas.model.interface.Reconstructs`` in full)."""

    num_codes: int

    def reconstruct(self, x: Tensor) -> _Reconstruction: ...


@contextmanager
def evaluating(module: nn.Module) -> Iterator[torch.device]:
    """Eval mode, no gradients, and torch's global random state as before; yields the module's device.

    Afterwards every submodule is in the very mode in which it was. ``no_grad`` and not ``inference_mode``:
    a tensor that a part caches inside must stay usable in training.
    """
    modes = [(part, part.training) for part in module.modules()]
    device = next((value.device for value in module.parameters()), torch.device("cpu"))
    cuda = [device] if device.type == "cuda" else []
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=cuda):
            yield device
    finally:
        for part, mode in modes:
            part.training = mode


def real_statistics(
    batches: Iterable[Batch], features: FeatureExtractor, *, device: torch.device | str
) -> FrechetDistance:
    """The real side of a distance; ``evaluate_samples`` takes it, so that it is computed once a run."""
    distance: FrechetDistance | None = None
    for number, batch in enumerate(batches):
        if distance is None:  # every rank learns the number of features, also one without a batch
            num_features = features(batch.x[:1].to(device)).shape[1]
            distance = FrechetDistance(num_features).to(_home_of_sums(device))
        if _mine(number):
            distance.update(features(batch.x.to(device)), real=True)
    require(distance is not None, "split", "", "holds no samples; choose another split")
    assert distance is not None
    return distance


def evaluate_samples(
    module: nn.Module,
    batches: Iterable[Batch],
    features: FeatureExtractor,
    *,
    num_samples: int,
    seed: int,
    batch_size: int,
    ema: bool = True,
    split: str = "test",
    distance: FrechetDistance | None = None,
) -> tuple[Figures, ProtocolOfFigures]:
    """The Frechet distance of a recipe's samples to real ones.

    Args:
        module: a recipe with ``sample``.
        batches: the real samples, whole; not read where ``distance`` holds them already.
        num_samples: samples to make; sample i is a function of (seed, i).
        batch_size: samples at a time.
        ema: take the averaged weights where the recipe has them.
        split: the real samples' name, for the protocol.
        distance: from :func:`real_statistics`, or None.

    Returns:
        ``{"fid": ...}`` and the protocol: figures are comparable only where their protocols are equal.

    Raises:
        OptionError: fewer than two samples on a side.
    """
    require(num_samples >= 2, "num_samples", num_samples, "must be at least 2; 10000 is usual")
    require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
    sampler = cast(Sampler, module)
    with evaluating(module) as device:
        if distance is None:
            distance = real_statistics(batches, features, device=device)
        distance.forget_generated()
        for number, start in enumerate(range(0, num_samples, batch_size)):
            if _mine(number):
                count = min(batch_size, num_samples - start)
                samples = sampler.sample(count, seed, ema=ema, start=start)
                distance.update(features(samples), real=False)
        value = float(distance.compute())
        real_samples = int(sum_over_ranks(distance.real_count))
    averaged = ema and getattr(module, "ema", None) is not None
    return {"fid": value}, {
        "ganvas": __version__,
        "split": split,
        "real_samples": real_samples,
        "generated_samples": num_samples,
        "seed": seed,
        "weights": "ema" if averaged else "raw",
        "features": dict(features.protocol),
        **distance.protocol(real_samples=real_samples, generated_samples=num_samples),
    }


def evaluate_reconstruction(
    module: nn.Module,
    batches: Iterable[Batch],
    *,
    split: str = "test",
    features: FeatureExtractor | None = None,
) -> tuple[Figures, ProtocolOfFigures]:
    """How well a recipe reconstructs a split, and how it uses its codes.

    Args:
        module: a recipe with ``reconstruct`` and ``num_codes``.
        batches: the split's samples.
        split: their name, for the protocol.
        features: where given, also ``rfid``: the Frechet distance of reconstructions to originals.

    Returns:
        ``mse``, for pictures ``psnr`` and ``ssim``; ``perplexity``, ``codes_used``, ``code_usage``,
        ``bits_per_image`` (indices a sample times log2 of the number of codes); and the protocol.
    """
    reconstructor = cast(Reconstructor, module)
    quality: ReconstructionQuality | None = None
    distance: FrechetDistance | None = None
    with evaluating(module) as device:
        home = _home_of_sums(device)
        usage = CodeUsage(reconstructor.num_codes).to(home)
        for number, batch in enumerate(batches):
            if quality is None:  # every rank learns the shapes, also one without a batch
                first = batch.x[:1].to(device)
                quality = ReconstructionQuality(list(first.shape[1:])).to(home)
                indices_per_sample = reconstructor.reconstruct(first).indices[0].numel()
                if features is not None:
                    distance = FrechetDistance(features(first).shape[1]).to(home)
            if not _mine(number):
                continue
            original = batch.x.to(device)
            made = reconstructor.reconstruct(original)
            quality.update(original=original.to(home), reconstruction=made.x.to(home))
            usage.update(made.indices.to(home))
            if distance is not None and features is not None:
                distance.update(features(original), real=True)
                distance.update(features(made.x), real=False)
        require(quality is not None, "split", split, "holds no samples; choose another split")
        assert quality is not None
        figures = {name: float(value) for name, value in (quality.compute() | usage.compute()).items()}
        figures["bits_per_image"] = indices_per_sample * math.log2(reconstructor.num_codes)
        samples = int(sum_over_ranks(quality.num_samples))
        protocol: ProtocolOfFigures = {
            "ganvas": __version__,
            "split": split,
            "samples": samples,
            "weights": "raw",
            **quality.protocol,
        }
        if distance is not None and features is not None:
            figures["rfid"] = float(distance.compute())
            protocol["features"] = dict(features.protocol)
            protocol |= distance.protocol(real_samples=samples, generated_samples=samples)
    return figures, protocol


def _mine(number: int) -> bool:
    """Whether this rank takes batch ``number``."""
    return number % world_size() == rank()


def _home_of_sums(device: torch.device | str) -> torch.device:
    """Where float64 sums are kept: beside the module, but on the CPU where the device has no float64."""
    device = torch.device(device)
    return torch.device("cpu") if device.type == "mps" else device

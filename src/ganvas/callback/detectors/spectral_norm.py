"""A layer of the discriminator grows without bound."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom, require_window
from ganvas.errors import require

_TAG = "health/spectral_norm/"


class SpectralNorm(Detector):
    """The largest singular value of a layer against its value at the start (Brock 2019, arXiv:1809.11096,
    section 4: it explodes where training collapses).

    Args:
        growth: multiple of the first value from which on it counts.
        probes: measurements in a row in which it must be seen.
        iterations: power iterations a measurement, from the same vector each time.
    """

    advice = (
        "model.discriminator_optimizer.lr (lower), model/gradient_penalty=r1, "
        "model.discriminator.norm=spectral (DCGAN)"
    )

    def __init__(self, *, growth: float, probes: int, iterations: int) -> None:
        require(growth > 1, "growth", growth, "must be over 1; 30 is usual")
        require_window("probes", probes)
        require(iterations >= 1, "iterations", iterations, "must be at least 1; 10 is usual")
        self.growth, self.probes, self.iterations = growth, probes, iterations

    def measure(self, probe: Probe) -> dict[str, float]:
        if probe.discriminator is None:
            return {}
        norms = {
            name: spectral_norm(weight, self.iterations) for name, weight in _weights(probe.discriminator)
        }
        stacked = torch.stack(list(norms.values())).tolist() if norms else []
        return {f"{_TAG}{name}": value for name, value in zip(norms, stacked, strict=True)}

    def look(self, history: History) -> Symptom | None:
        for tag in history.tags(_TAG):
            first, norms = history.first(tag), history.last(tag, self.probes)
            if first and norms and min(norms) / first > self.growth:
                value = norms[-1] / first
                says = (
                    f"D's layer {tag.removeprefix(_TAG)} explodes: its largest singular value is "
                    f"{norms[-1]:.3g}, {value:.3g} times that of the start"
                )
                return Symptom(value, self.growth, says)
        return None


def _weights(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The weights that its layers apply (after spectral normalization, where a layer has it)."""
    for name, module in network.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim >= 2:
            yield name, weight


def spectral_norm(weight: Tensor, iterations: int) -> Tensor:
    """About the largest singular value of [out, in * kernel], from below; no random state is touched."""
    matrix = weight.detach().float().flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    vector = torch.randn(len(matrix), generator=torch.Generator().manual_seed(0)).to(matrix.device)
    gram = matrix @ matrix.T  # the smaller of the two; its largest eigenvalue is the square
    for _ in range(iterations):
        vector = gram @ (vector / vector.norm().clamp(min=1e-30))
    norm: Tensor = vector.norm().sqrt()
    return norm

"""What the detectors measure at: real samples, samples of now, and distances between them, made once each."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganvas.functional.precision import widened
from ganvas.model.interface import Reconstructs, Samples

_SIDE = 16  # pixels: images are compared at most at this size
_AT_A_TIME = 1024  # samples that are made small


class Real(NamedTuple):
    """Real samples [N, ...] in [-1, 1] and their labels int64 [N], or None."""

    x: Tensor
    label: Tensor | None


class Reference:
    """The data's side of every probe; read once a run.

    Args:
        data: the run's data module.
        num: samples of each kind.
        max_train: training samples among which the nearest is looked for.
        device: where they are kept.
    """

    def __init__(self, data: Any, *, num: int, max_train: int, device: torch.device) -> None:
        self._data, self._num, self._max_train, self._device = data, num, max_train, device

    @cached_property
    def train(self) -> Real:
        """Training samples from all over the split, not augmented."""
        return self._spread("train", self._num)

    @cached_property
    def held_out(self) -> Real | None:
        """Samples that no training sees; None where there are none."""
        return self._spread("val", self._num) if self._data.num_samples("val") else None

    @cached_property
    def neighbours(self) -> Tensor:
        """Training samples among which the nearest is looked for: float32 [M, F] (see :meth:`small`)."""
        rows, modality = self._rows("train", self._max_train), self._data.modality
        stored = self._data.split("train").x
        chunks = rows.split(_AT_A_TIME)  # all samples at once may be many times the rows
        return torch.cat([self.small(modality.to_model(stored[some].to(self._device))) for some in chunks])

    @cached_property
    def train_distances(self) -> Tensor:
        """Of the training samples from each other [N, N]."""
        rows = self.small(self.train.x)
        return distances(rows, rows)

    @cached_property
    def held_out_nearest(self) -> Tensor | None:
        """Distance of each held-out sample to its nearest training sample [N]."""
        if self.held_out is None:
            return None
        return distances(self.small(self.held_out.x), self.neighbours).amin(1)

    def small(self, x: Tensor) -> Tensor:
        """Samples [B, ...] as float32 rows [B, F], by their modality; images of 16 x 16 pixels at most."""
        rows: Tensor = self._data.modality.summary(x, _SIDE)
        return rows

    def _rows(self, name: str, num: int) -> Tensor:
        """Numbers of samples at even steps through a split, whose order may go by class."""
        there = len(self._data.split(name).x)
        count = min(num, there)
        return torch.arange(count) * there // count

    def _spread(self, name: str, num: int) -> Real:
        split, rows = self._data.split(name), self._rows(name, num)
        x = split.x[rows].to(self._device)
        label = None if split.label is None else split.label[rows].to(self._device)
        return Real(self._data.modality.to_model(x), label)

    @property
    def has_distances(self) -> bool:
        """Whether two samples lie some way from each other: numbers of symbols do not."""
        return not self._data.modality.is_discrete


class Probe:
    """A recipe at one moment, in eval mode and without gradients; what is asked twice is made once.

    Args:
        recipe: what trains.
        reference: the data's side.
        num: samples that are made; the same latents each time.
        seed: of the latents.
    """

    def __init__(self, recipe: Any, reference: Reference, *, num: int, seed: int) -> None:
        self.recipe, self.reference = recipe, reference
        self._num, self._seed = num, seed

    @cached_property
    def generated(self) -> Tensor | None:
        """Samples [N, ...] of the weights that train, not of their average, which lags behind.

        None where the recipe makes none, or they have no distances.
        """
        if not isinstance(self.recipe, Samples) or not self.reference.has_distances:
            return None
        return self.recipe.sample(self._num, self._seed, ema=False)

    @cached_property
    def averaged(self) -> Tensor | None:
        """Samples [N, ...] of the averaged weights from the same latents; None without an average."""
        is_averaged = getattr(self.recipe, "ema", None) is not None and self.reference.has_distances
        if not isinstance(self.recipe, Samples) or not is_averaged:
            return None
        return self.recipe.sample(self._num, self._seed, ema=True)

    @cached_property
    def generated_distances(self) -> Tensor | None:
        """Of the samples from each other [N, N]."""
        if self.generated is None:
            return None
        rows = self.reference.small(self.generated)
        return distances(rows, rows)

    @cached_property
    def energy(self) -> dict[str, float]:
        """How far the samples lie from the data, without asking a discriminator: ``health/energy``.

        The energy distance (Szekely & Rizzo 2013) over the data's own mean distance: with samples x and y,
        (2 E|x - y| - E|x - x'| - E|y - y'|) / E|x - x'|, 0 for equal distributions. Empty without samples.
        """
        if self.generated is None or self.generated_distances is None:
            return {}
        return {"health/energy": self._energy(self.generated, self.generated_distances)}

    @cached_property
    def energy_averaged(self) -> dict[str, float]:
        """The same of the averaged weights: ``health/energy_averaged``; empty without an average."""
        if self.averaged is None:
            return {}
        rows = self.reference.small(self.averaged)
        return {"health/energy_averaged": self._energy(self.averaged, distances(rows, rows))}

    def _energy(self, samples: Tensor, among_themselves: Tensor) -> float:
        small = self.reference.small
        across = float(widened(distances(small(samples), small(self.reference.train.x))).mean())
        real, made = mean_pairwise(self.reference.train_distances), mean_pairwise(among_themselves)
        return (2 * across - real - made) / max(real, 1e-12)

    @property
    def discriminator(self) -> nn.Module | None:
        return getattr(self.recipe, "networks", {}).get("discriminator")

    @cached_property
    def reconstruction(self) -> tuple[Tensor, tuple[Tensor, ...]] | None:
        """The training samples' reconstructions [N, ...] and each level's codes int64 [N, *positions]."""
        if not isinstance(self.recipe, Reconstructs):
            return None
        x, indices = self.recipe.reconstruct(self.reference.train.x)
        return x, indices


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean, of rows [N, F] from rows [M, F]: float32 [N, M]."""
    return torch.cdist(
        a, b, compute_mode="donot_use_mm_for_euclid_dist" if a is b else "use_mm_for_euclid_dist_if_necessary"
    )


def mean_pairwise(square: Tensor) -> float:
    """Mean of the distances [N, N] of a set from itself over its pairs, the diagonal left out."""
    count = len(square)
    return float(widened(square).sum() / max(count * (count - 1), 1))


def nearest_others(square: Tensor) -> Tensor:
    """Distance of each of a set to its nearest other one [N], from the distances [N, N]."""
    return square.clone().fill_diagonal_(torch.inf).amin(1)

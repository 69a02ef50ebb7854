"""What every recipe with a generator of latent vectors can do, however it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganvas.errors import require_whole
from ganvas.functional.latents import drawn_labels, latent
from ganvas.functional.modes import eval_mode
from ganvas.functional.random import hash64
from ganvas.model.batch_statistics import fit_batch_statistics, tracked_batch_norms
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.latent_space import LatentSpace
from ganvas.model.training.recipe import Recipe

_BATCHES, _BATCH = 4, 64  # of latents by which the averaged generator's BatchNorm is fitted
_SEED = hash64("batch statistics")  # of these latents


class LatentGenerator(Recipe):
    """Makes samples from latent vectors; what trains it is the subclass's ``step``.

    Args:
        latent_dim: length of the latent vector, drawn from N(0, 1).
        generator: latents [B, latent_dim] to samples in [-1, 1] (see the part's interface), or to what a
            trained decoder makes samples of (:meth:`learn_in`).
        ema: average of the generator's weights that samples are made with, or None.
        seed: the run's seed.

    Attributes:
        space: see :meth:`learn_in`; None: batches of training are samples.

    Raises:
        OptionError: a ``latent_dim`` that is not positive.
    """

    space: LatentSpace | None

    def __init__(
        self, *, latent_dim: int, generator: nn.Module, ema: WeightAverage | None, seed: int
    ) -> None:
        super().__init__(seed=seed)
        require_whole("latent_dim", latent_dim, 1, "100 is usual")
        self.latent_dim, self.generator, self.ema = latent_dim, generator, ema
        self._fitted: tuple[object, dict[str, Tensor]] = (None, {})
        self.space = None

    def learn_in(self, space: LatentSpace) -> None:
        """Batches of training are latents of a tokenizer's codes (``data=latents``), and so is what the
        generator makes; what leaves the recipe are samples, by the tokenizer's decoder."""
        self.space = space

    def rests_on(self) -> dict[str, object]:
        return {} if self.space is None else {"tokenizer": self.space.tokenizer.sha256}

    @torch.no_grad()
    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        """See :class:`ganvas.model.interface.Samples`."""
        z = self.latents(num, seed, start=start, truncation=truncation)
        label = self.sample_labels(num, seed, start=start)
        return self.generate(z, label, ema=ema, truncation=truncation)

    def latents(self, num: int, seed: int, *, start: int = 0, truncation: float | None = None) -> Tensor:
        """See :class:`ganvas.model.interface.FromLatents`."""
        cut = None if self._has_truncation else truncation
        rows = (latent(self.latent_dim, hash64(seed, "z", i), cut) for i in range(start, start + num))
        return torch.stack(list(rows)).to(self.device)

    @property
    def num_classes(self) -> int | None:
        """See :class:`ganvas.model.interface.FromLatents`; that of the generator, where it has it."""
        found: int | None = getattr(self.generator, "num_classes", None)
        return found

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """See :class:`ganvas.model.interface.FromLatents`."""
        return drawn_labels(self.num_classes, num, seed, start=start, device=self.device)

    @property
    def _has_truncation(self) -> bool:
        """Whether the generator has a truncation of its own, so that latents stay as they are."""
        return bool(getattr(self.generator, "has_truncation", False))

    @torch.no_grad()
    def generate(
        self, z: Tensor, label: Tensor | None = None, *, ema: bool = True, truncation: float | None = None
    ) -> Tensor:
        """See :class:`ganvas.model.interface.FromLatents`."""
        made = self.as_trained(z, label, ema=ema, truncation=truncation)
        return made if self.space is None else self.space.decode(made)

    @torch.no_grad()
    def as_trained(
        self, z: Tensor, label: Tensor | None = None, *, ema: bool = True, truncation: float | None = None
    ) -> Tensor:
        """As :meth:`generate`, but of the shape of a training batch, which the discriminator takes."""
        options = {"truncation": truncation} if self._has_truncation else {}
        if not ema or self.ema is None:
            with eval_mode(self.generator):
                return self.generator(z, label, **options)
        with eval_mode(self.ema.average):
            return functional_call(self.ema.average, self.average_statistics(), (z, label), options)

    def samples_to_check(self) -> Tensor:
        return self.as_trained(self.latents(2, 0), self.sample_labels(2, 0), ema=False)

    @property
    def statistics_samples(self) -> int | None:
        """Samples by which the averaged generator's BatchNorm is fitted; None where it has none to fit."""
        averages_batch_norm = self.ema is not None and tracked_batch_norms(self.ema.average)
        return _BATCHES * _BATCH if averages_batch_norm else None

    def average_statistics(self) -> dict[str, Tensor]:
        """BatchNorm's running statistics that fit the averaged weights, by name within the average.

        A function of these weights alone: from fixed latents, made once for each state of the weights. The
        statistics that the average holds itself, and a checkpoint carries, are those of the trained weights.
        Empty without an average, or without BatchNorm in it.
        """
        if self.statistics_samples is None or self.ema is None:
            return {}
        weights = list(self.ema.average.parameters())
        key: object = None  # tensors of inference mode do not count their changes
        if not any(value.is_inference() for value in weights):
            key = (self.batches_seen, self.device, [(value.data_ptr(), value._version) for value in weights])
        if key is None or self._fitted[0] != key:
            starts = range(0, _BATCHES * _BATCH, _BATCH)
            dtype = weights[0].dtype
            inputs = (
                (self.latents(_BATCH, _SEED, start=i).to(dtype), self.sample_labels(_BATCH, _SEED, start=i))
                for i in starts
            )
            with eval_mode(self.ema.average):
                self._fitted = (key, fit_batch_statistics(self.ema.average, inputs))
        return self._fitted[1]

"""Latents of another run's data set, for a GAN: what its tokenizer's decoder makes each sample of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ganvas.data.codes import Codes, Encodes
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError
from ganvas.functional.batch import Batch, StoredBatch


@runtime_checkable
class HasLatents(Encodes, Protocol):
    """What is asked of a tokenizer here (``ganvas.model.tokenizer.Tokenizer`` in full)."""

    def latent_space(self, *, snap: bool) -> Any: ...


@dataclass(kw_only=True, eq=False, repr=False)
class Latents(Codes):
    """Training and validation batches hold latents float32 [B, D, *positions], of samples' codes.

    Each channel is scaled so that the training codes' values fill [-1, 1]; a recipe's checkpoint holds the
    bounds (:class:`ganvas.model.latent_space.LatentSpace`). In memory are the codes; latents are made of them
    batch by batch, on the device. All else that looks at the data finds the samples themselves.

    Args:
        channels: D of the latents, which the networks make; checked against the tokenizer's.
        image_size: side of the latents' grid, likewise; None, of both: latents that are no square grid.
        num_classes: declared number of classes, which a GAN reads; None takes what is there.
        snap: samples are decoded of the codes nearest to what the GAN made, not of that itself.

    The others: see :class:`ganvas.data.codes.Codes`.

    Raises:
        OptionError: sizes that are not those of the tokenizer's latents; ``snap`` of codes that are not the
            nearest ones; and as there.
    """

    tokenizer: HasLatents | None = None
    channels: int | None = 64
    image_size: int | None = None
    num_classes: int | None = None
    snap: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.tokenizer is not None  # else it is refused there
        self.latent_space = self.tokenizer.latent_space(snap=self.snap)
        self._check_sizes(self.latent_space.shape)

    def _check_sizes(self, shape: tuple[int, ...]) -> None:
        is_grid = len(shape) == 3 and shape[1] == shape[2]
        channels, side = (shape[0], shape[1]) if is_grid else (None, None)
        sizes = " ".join(
            f"data.{key}={'null' if one is None else one}"
            for key, one in (("channels", channels), ("image_size", side))
        )
        if not is_grid:
            sizes += f" 'data.sample_shape={list(shape)}', and networks of any shape (mlp)"
        place = os.path.basename(self.encodes.place)
        rule = f"the latents of {place} are {' x '.join(map(str, shape))}; {sizes}"
        for key, declared, there in (
            ("channels", self.channels, channels),
            ("image_size", self.image_size, side),
        ):
            if declared != there:
                raise OptionError(key, "null" if declared is None else declared, rule)

    def load(self) -> dict[str, Stored]:
        samples = super().load()
        if not self.latent_space.is_fitted:  # else by a checkpoint, which its samples rest on
            codes = self._codes["train"].split(self.encode_batch_size)
            self.latent_space.fit(batch.long() for batch in codes)
        return samples

    def latents(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        """Latents of a split in its fixed order, and their labels; the last batch may be short."""
        for batch in self.codes(name, batch_size, limit):
            yield batch._replace(x=self.latent_space.of(batch.x))

    def on_after_batch_transfer(self, batch: StoredBatch | Batch, dataloader_idx: int) -> Batch:
        """Codes to latents, on their device."""
        if isinstance(batch, Batch):
            return batch
        x, label = super().on_after_batch_transfer(batch, dataloader_idx)
        return Batch(x=self.latent_space.of(x), label=label)

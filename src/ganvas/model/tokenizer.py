"""A trained autoencoder as a map between samples and sequences of codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.modes import eval_mode
from ganvas.model.interface import has_codes
from ganvas.model.latent_space import LatentSpace
from ganvas.model.training.recipe import Recipe


class Tokenizer:
    """The codes of samples, and samples of codes; its weights never move, and no prior's checkpoint has them.

    Args:
        recipe: the autoencoder, e.g. of ``ganvas.load(RUN).model``.
        data: the data module that it was trained on.
        sha256: of its weights; what rests on them is told by it.
        place: the folder that it was read from.

    Attributes:
        layout: what its codes are as a sequence.
        sample_shape: of one sample, e.g. [C, H, W].
        num_classes: of the data, None where they have no labels.

    Raises:
        OptionError: ``tokenizer``: the recipe has no codes.
    """

    def __init__(self, recipe: Recipe, data: Any, *, sha256: str, place: str) -> None:
        require(has_codes(recipe), "tokenizer", place, "has no codes; it must be the run of a VQ-VAE")
        own: Any = recipe
        self.recipe = own.eval().requires_grad_(False)
        self.data, self.sha256, self.place = data, sha256, place
        self.notes: list[str] = []  # what is to be said of it
        sample = _example(data)
        self.sample_shape = tuple(sample.shape[1:])
        codes = own.encode(sample.to(own.device))
        self.layout = CodeLayout.of(codes, own.codebook_sizes)

    @property
    def num_classes(self) -> int | None:
        if self.data.num_classes is None:
            self.data.prepare()  # they are what is there
        found: int | None = self.data.num_classes
        return found

    def to(self, device: torch.device) -> Tokenizer:
        """Moves the networks there; nothing where they are there already."""
        if self.recipe.device != device:
            self.recipe.to(device)
        return self

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Samples [B, ...] in [-1, 1] to their codes int64 [B, N]; on the networks' device."""
        with eval_mode(self.recipe):
            return self.layout.flatten(self.recipe.encode(x.to(self.recipe.device)))

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes int64 [B, N] to samples [B, ...] in [-1, 1]; on the device of the codes."""
        self.to(codes.device)
        with eval_mode(self.recipe):
            made: Tensor = self.recipe.decode(self.layout.unflatten(codes))
            return made

    @torch.no_grad()
    def rest_nats(self, x: Tensor, codes: Tensor) -> Tensor | None:
        """-log p(x | codes) of samples [B, ...] and their codes int64 [B, N], float64 [B].

        None of a decoder that says no probabilities of samples.
        """
        own: Any = self.to(codes.device).recipe
        if not hasattr(own, "rest_nats"):
            return None
        with eval_mode(self.recipe):
            found: Tensor = own.rest_nats(x.to(codes.device), self.layout.unflatten(codes))
            return found

    def latent_space(self, *, snap: bool) -> LatentSpace:
        """The latents of its codes, for a generator to learn; its bounds are to be set by its ``fit``.

        Raises:
            OptionError: ``snap``, where its codes are not the nearest ones.
        """
        return LatentSpace(self, snap=snap)


def _example(data: Any) -> Tensor:
    """One sample [1, ...]; no data are read where their options say its shape, so that codes can be decoded
    where there are none."""
    shape = data.declared_shape
    if shape is None:
        found: Tensor = next(iter(data.batches("train", 1, 1))).x
        return found
    example: Tensor = data.modality.example(shape)
    return example

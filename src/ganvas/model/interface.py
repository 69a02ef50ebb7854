"""What callbacks and commands may ask of a recipe, whatever it is."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeGuard, runtime_checkable

from torch import Tensor

from ganvas.functional.next_code import Drawing
from ganvas.model.network.interface import Classified
from ganvas.model.quantizer.interface import Quantizer


@runtime_checkable
class Samples(Protocol):
    """A recipe that makes samples from nothing (GANs)."""

    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        """``num`` samples [num, ...] in [-1, 1] on the model's device.

        Sample number i is a function of (seed, i) alone, so that ``sample(4, s, start=2)`` is the tail of
        ``sample(6, s)``.

        Args:
            ema: take the averaged weights where the recipe has them.
            truncation: largest latent value; of a generator with a truncation of its own (StyleGAN2) the
                share of the way from its mean style; None does not cut.
        """
        ...


@runtime_checkable
class FromLatents(Samples, Protocol):
    """A recipe whose sample i is what ``generate`` makes of latent i, and of class i where it has classes."""

    @property
    def num_classes(self) -> int | None:
        """How many classes samples may be asked for; None where they are not."""
        ...

    def latents(self, num: int, seed: int, *, start: int = 0, truncation: float | None = None) -> Tensor:
        """The latents [num, latent_dim] of samples start, start + 1, ...; on the model's device.

        A generator with a truncation of its own leaves them whole: ``generate`` is given the same number.
        """
        ...

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """The classes int64 [num] that these samples are asked for; None where they are not."""
        ...

    def generate(
        self, z: Tensor, label: Tensor | None = None, *, ema: bool = True, truncation: float | None = None
    ) -> Tensor:
        """Latents [B, latent_dim] to samples [B, ...] in [-1, 1]; networks in eval mode.

        Args:
            truncation: that of ``latents``; read by a generator that has one of its own alone.
        """
        ...


@runtime_checkable
class Discriminates(Protocol):
    """A recipe that tells real samples from made ones by one logit a sample (GANs)."""

    def discriminate(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Samples [B, ...] and classes int64 [B] to logits [B], positive for real; the mode is as set."""
        ...


@runtime_checkable
class DrawsCodes(Samples, Protocol):
    """A recipe that draws the codes of samples, and says how likely codes are (priors)."""

    tokenizer: Any
    num_classes: int | None  # how many classes samples may be asked for; None where they are not

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """The classes int64 [num] that these samples are asked for; None where they are not."""
        ...

    def sample(
        self,
        num: int,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        truncation: float | None = None,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> Tensor:
        """As :class:`Samples`; of these classes int64 [num], and drawn in this way, where they are given."""
        ...

    def bits(self, codes: Tensor, label: Tensor | None, *, start: int = 0, ema: bool = True) -> Tensor:
        """Bits [B] in which codes int64 [B, N], of classes int64 [B], are said."""
        ...


@runtime_checkable
class CompletesCodes(DrawsCodes, Protocol):
    """A prior that draws codes given some of them."""

    def complete(
        self,
        codes: Tensor,
        known: Tensor,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> Tensor:
        """See :meth:`ganvas.model.code_model.CodeModel.complete`."""
        ...


@runtime_checkable
class DrawsInSteps(DrawsCodes, Protocol):
    """A prior that draws many codes at a step, in an order of its own (``model=masked``)."""

    def draw_in_steps(
        self,
        num: int,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> list[Any]:
        """See :meth:`ganvas.model.masked.Masked.draw_in_steps`."""
        ...


class Reconstruction(NamedTuple):
    """Samples through the bottleneck.

    Attributes:
        x: [B, ...] in [-1, 1].
        indices: of each level of codes a map int64 [B, *positions]; levels may have other positions.
    """

    x: Tensor
    indices: tuple[Tensor, ...]


@runtime_checkable
class Reconstructs(Protocol):
    """A recipe that encodes and decodes (VQ-VAEs)."""

    codebook_sizes: tuple[int, ...]  # number of codes of each level

    def reconstruct(self, x: Tensor) -> Reconstruction:
        """Samples [B, ...] in [-1, 1] on the model's device to their reconstructions and codes."""
        ...


@runtime_checkable
class HasCodes(Reconstructs, Protocol):
    """A recipe that decodes any codes, also such as no sample has (VQ-VAEs); see :func:`has_codes`.

    Codes are int64 [B, levels, *positions], or a tuple of such, one of each of several sizes.
    """

    quantizer: Any

    def encode(self, x: Tensor) -> Any:
        """Samples [B, ...] in [-1, 1] to their codes; networks in eval mode."""
        ...

    def decode(self, indices: Any) -> Tensor:
        """Codes, or those of the first levels or sizes alone, to samples [B, ...] in [-1, 1]."""
        ...


def has_codes(recipe: object) -> TypeGuard[HasCodes]:
    """Whether its quantizer keeps the contract of ``ganvas.model.quantizer``, or holds some that do."""
    if not isinstance(recipe, HasCodes):
        return False
    inner = getattr(recipe.quantizer, "quantizers", None) or ()
    return has_one_size(recipe) or (len(inner) > 0 and all(isinstance(one, Quantizer) for one in inner))


def has_one_size(recipe: HasCodes) -> bool:
    """Whether its codes are one tensor."""
    return isinstance(recipe.quantizer, Quantizer)


@runtime_checkable
class Classifies(Protocol):
    """A recipe that tells the data's classes (classifiers)."""

    def classify(self, x: Tensor) -> Classified:
        """Samples [B, ...] in [-1, 1] on the model's device to logits and features; network in eval mode."""
        ...

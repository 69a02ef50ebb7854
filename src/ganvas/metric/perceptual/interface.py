"""What a perceptual distance between originals and reconstructions must do; it is a torchmetrics.Metric."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from ganvas.functional.batch import DataFacts


@runtime_checkable
class PerceptualDistance(Protocol):
    """A mean over samples, from running sums that ranks add up.

    Attributes:
        protocol: plain values that name the distance completely, its weights by their sha256.
        better: each name that :meth:`compute` gives -> ``min`` or ``max``.
    """

    better: ClassVar[dict[str, str]]

    @property
    def protocol(self) -> dict[str, object]: ...

    def check(self, facts: DataFacts) -> None:
        """Raises OptionError where the data are not of its kind, or weights are missing."""
        ...

    def update(self, *, original: Tensor, reconstruction: Tensor) -> None:
        """Adds samples [B, ...] in [-1, 1] and their reconstructions.

        They may lie on another device than the sums (``to``), which stay where there is float64; a network
        goes to the samples.
        """
        ...

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64 by name, e.g. ``lpips``."""
        ...

    def reset(self) -> None: ...

    def to(self, *args: Any, **kwargs: Any) -> Any: ...

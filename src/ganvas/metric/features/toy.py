"""Points as they are, and how far each lies from the modes of its mixture."""

from __future__ import annotations

from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.batch import DataFacts
from ganvas.functional.mixtures import SCALE, centres
from ganvas.metric.interface import Features


class Toy:
    """The plane of a mixture of Gaussians: features are the points, logits tell the modes.

    Args:
        shape: the data's ``shape``; None where the data has none: then :meth:`check` refuses it.
        std: standard deviation of a mode before scaling, as the data's.

    Raises:
        OptionError: a shape that there is not, or a deviation that is not positive.
    """

    cacheable = False  # to make them again costs less than to read them

    def __init__(self, shape: str | None, std: float | None) -> None:
        names = ", ".join(SCALE)
        require(shape is None or shape in SCALE, "shape", shape, f"must be one of {names}")
        require(std is None or std > 0, "std", std, "must be positive, before scaling; the data's own")
        self.shape, self.std = shape, std
        self.protocol: dict[str, object] = {
            "name": "toy",
            "shape": shape,
            "std": std,
            "value_range": "as given, not clamped",
            "dtype": "float32",
        }

    def check(self, facts: DataFacts) -> None:
        """Raises OptionError unless the samples are points of a mixture whose modes are known."""
        known = self.shape is not None and self.std is not None
        if not known or facts.sample_shape != [2]:
            raise OptionError(
                "features",
                "toy",
                f"takes points of data=toy, and {facts.name} has samples of {facts.sample_shape}; "
                "metric/features=pixels takes anything",
            )

    def __call__(self, x: Tensor) -> Features:
        """Points [B, 2] to themselves and to logits [B, M], the modes' log densities up to one constant."""
        assert self.shape is not None, "check comes first"
        assert self.std is not None
        x = x.float()
        std = self.std / SCALE[self.shape]
        offsets = x[:, None] - centres(self.shape).to(x.device)  # [B, M, 2]
        return Features(x, -offsets.square().sum(2) / (2 * std**2))

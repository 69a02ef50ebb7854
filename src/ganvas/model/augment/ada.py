"""Adaptive discriminator augmentation (Karras 2020, arXiv:2006.06676)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganvas.errors import require
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.augment.adaptive import Adaptive
from ganvas.model.augment.interface import require_images
from ganvas.model.augment.pipeline import COLOUR, TRANSFORMS, multipliers_of, on_device, transform


class ADA(Adaptive):
    """Each transformation changes a sample with probability p times its multiplier.

    Up to p = 0.8 or so the generator does not learn to make augmented images (section 2.2 of the paper).

    Args:
        pipeline: a set of transformations, see :data:`ganvas.model.augment.pipeline.SETS`.
        multipliers: of single transformations, in place of the set's; None: the set's.
        p: at the start; this and the others: see :class:`ganvas.model.augment.adaptive.Adaptive`.
        adapt: whether p follows the discriminator.
        target: of the mean sign.
        interval: discriminator steps from one change of p to the next.
        adapt_examples: real examples in which p can go from 0 to 1.

    Raises:
        OptionError: an unknown set or transformation, or a multiplier outside [0, 1]; see also the base.
    """

    def __init__(
        self,
        pipeline: str = "bgc",
        multipliers: Mapping[str, float | None] | None = None,
        p: float | Schedule = 0.0,
        adapt: bool = True,
        target: float = 0.6,
        interval: int = 4,
        adapt_examples: int = 500_000,
    ) -> None:
        super().__init__(p, adapt, target, interval, adapt_examples)
        self.pipeline = pipeline
        of_colour = ((name, (multipliers or {}).get(name)) for name in ("hue", "saturation"))
        self.asked = {name: value for name, value in of_colour if value}  # in so many words, not by the set
        whole = multipliers_of(pipeline, multipliers or {})
        self.active = frozenset(name for name, value in whole.items() if value)
        self.multipliers = tuple(whole[name] for name in TRANSFORMS)

    def forward(self, x: Tensor, draws: Draws, purpose: str) -> Tensor:
        chances = on_device(self.multipliers, x.device) * self.probability()  # float32 [15]
        return transform(x, chances, self.active, draws, f"ada/{purpose}")

    def check(self, x: Tensor) -> None:
        require_images(self, x)
        rule = "changes images of at least 2 pixels a side; model/augment=none"
        require(min(x.shape[2:]) >= 2, "augment", type(self).__name__, rule)
        for name, value in self.asked.items():
            rule = "changes nothing of images with one channel; leave it out"
            require(x.shape[1] != 1, f"multipliers.{name}", value, rule)
        colours = [name for name in COLOUR if name in self.active]
        rule = f"changes colours, and a sample has {x.shape[1]} channels; pipeline=bg for other than 1 or 3"
        require(not colours or x.shape[1] in (1, 3), "pipeline", self.pipeline, rule)

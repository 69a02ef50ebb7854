"""How often ADA and APA change samples (Karras 2020, arXiv:2006.06676, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require, require_whole
from ganvas.functional.schedule import Schedule, Scheduled
from ganvas.model.augment.interface import Augment

_LITTLE = 0.1  # a largest p that is said to be small


class Adaptive(Augment, Scheduled):
    """An augmentation with a probability p, which a controller moves.

    After every ``interval`` steps of the discriminator

        p <- p + sign(E sign(D(real) - b) - target) examples / adapt_examples, kept within [0, 1]

    with the mean over the real examples of these steps, and b the loss's ``boundary``, 0 in the paper: p
    rises where the discriminator calls more than (1 + target) / 2 of them real, which is taken for
    overfitting. p is kept as a whole number of examples, so that it is the same in every float type; it is
    part of the checkpoint.

    Args:
        p: at the start; where it does not adapt, throughout, and then it may be a schedule.
        adapt: whether p follows the signs; what follows is read then alone.
        target: of the mean sign.
        interval: discriminator steps from one change of p to the next.
        adapt_examples: real examples in which p can go from 0 to 1.

    Raises:
        OptionError: p outside [0, 1], a p of 0 that does not adapt, or a schedule of one that does; a target
            outside (-1, 1); an interval or ``adapt_examples`` below 1.
    """

    p: float
    p_examples: Tensor  # int64, p times adapt_examples, where it adapts
    steps: Tensor  # int64, as the following: discriminator steps since p was last moved
    signs: Tensor  # sum of sign(D(real)) over them
    sign_examples: Tensor  # and of how many

    def __init__(
        self,
        p: float | Schedule = 0.0,
        adapt: bool = True,
        target: float = 0.6,
        interval: int = 4,
        adapt_examples: int = 500_000,
    ) -> None:
        super().__init__()
        self.set_number("p", p, lambda p: 0 <= p <= 1, "must be in [0, 1], a probability")
        rule = "changes nothing where adapt=false; set one above 0, or model/augment=none"
        require(adapt or self.p > 0 or bool(self.schedules), "p", p, rule)
        rule = "p follows the discriminator, and has a schedule; adapt=false, or a number for p"
        require(not adapt or not self.schedules, "adapt", adapt, rule)
        require(-1 < target < 1, "target", target, "must lie between -1 and 1; 0.6 is the paper's")
        require_whole("interval", interval, 1, "4 steps are usual")
        usual = "500000 is usual, 100000 where a trained model is tuned"
        require_whole("adapt_examples", adapt_examples, 1, usual)
        self.adapts = adapt
        self.target, self.interval, self.adapt_examples = target, interval, adapt_examples
        if adapt:
            self.register_buffer("p_examples", torch.tensor(round(self.p * adapt_examples)))
            for name in ("steps", "signs", "sign_examples"):
                self.register_buffer(name, torch.tensor(0))

    def probability(self) -> Tensor | float:
        """p, in [0, 1]; a float32 scalar on the module's device where it adapts."""
        return self.p_examples.float() / self.adapt_examples if self.adapts else self.p

    @torch.no_grad()
    def observe(self, sign: Tensor, examples: int) -> None:
        if not self.adapts:
            return
        known = sign.isfinite()  # a step whose logits were not finite tells nothing
        self.signs += torch.where(known, (sign.float() * examples).round(), 0.0).long()
        self.sign_examples += known * examples
        self.steps += 1
        due = self.steps >= self.interval
        excess = self.signs.float() - self.target * self.sign_examples  # of the mean sign, times the examples
        moved = self.p_examples + excess.sign().long() * self.sign_examples
        self.p_examples.copy_(torch.where(due, moved.clamp(0, self.adapt_examples), self.p_examples))
        for count in (self.steps, self.signs, self.sign_examples):
            count.mul_(~due)

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        if not self.adapts:
            return []
        if self.interval > batches:
            rule = f"p moves first after so many discriminator steps, and the run ends after {batches}"
            return [f"interval={self.interval}: {rule}"]
        highest = self.p + examples / self.adapt_examples
        rule = f"p can rise to {highest:.2g} in the {examples:,} examples of this run, and no further"
        return [] if highest >= _LITTLE else [f"adapt_examples={self.adapt_examples}: {rule}"]

    def report(self) -> dict[str, Tensor]:
        return {"augment/p": torch.as_tensor(self.probability(), dtype=torch.float32)}

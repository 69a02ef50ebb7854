"""Top-k training (Sinha 2020, arXiv:2002.06224, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.patches import mean_of_samples
from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.interface import Game, Regularizer


class TopK(Regularizer):
    """The generator learns from the share of its samples alone that D takes for the most real.

    Its adversarial loss is the mean over the k = max(1, round(share B)) samples of the global batch whose
    logits are the largest; of relativistic pairs, over their pairs. The paper moves the share from 1 to 0.5.

    Args:
        share: of the batch, in (0, 1].

    Raises:
        OptionError: a ``share`` outside (0, 1].
    """

    share: float

    def __init__(self, share: float | Schedule = 0.75) -> None:
        super().__init__()
        rule = "must be in (0, 1]; the paper ends at 0.5"
        self.set_number("share", share, lambda value: 0 < value <= 1, rule)

    def choose(self, game: Game) -> tuple[Tensor, float] | None:
        own = mean_of_samples(game.fake_logits.detach())  # [B]
        everyone = game.whole_batch(own)  # [B of all]
        k = max(1, round(self.share * len(everyone)))
        if k == len(everyone):
            return None
        if len(everyone) == len(own):
            return torch.topk(own, k).indices, 1.0
        least = torch.topk(everyone, k).values[-1]
        k = int((~(everyone < least)).sum())  # where several are the last one
        chosen = (~(own < least)).nonzero().flatten()  # a NaN too, as topk has it: the guard must see it
        return chosen, len(chosen) / k * (len(everyone) / len(own))

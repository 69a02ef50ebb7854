"""A masked prior over codes: any codes are said given any others (MaskGIT, Chang 2022, arXiv:2202.04200)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.modes import eval_mode
from ganvas.functional.next_code import Drawing, DrawnStep, filtered, pick, uniforms
from ganvas.functional.precision import widened
from ganvas.functional.random import Draws, hash_index
from ganvas.model.code_model import CodeModel, guide, nats_of
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.prior.interface import Prior
from ganvas.model.tokenizer import Tokenizer


class Masked(CodeModel):
    """Trained and scored as absorbing diffusion (Austin 2021, arXiv:2107.03006), drawn in a few steps.

    Of a sample's N codes m are hidden, m uniform on {1, ..., N}, any m alike, and

        -log p(codes) <= E_m E_hidden  N / m  sum over hidden of -log p(code | those seen, class)

    which is equal for the exact conditionals, and is the integral of Austin's linear schedule: E_t (1/t) of
    the same sum with each code hidden with probability t ~ U(0, 1).

    Args:
        steps: forward passes for a sample, where a drawing says nothing else; at most N do something.
        choice_temperature: of the Gumbel noise in the choice of the codes that stay; it falls to 0 in the
            last step. 0 keeps the surest codes always.
        estimates: draws of m, of equal shares of {1, ..., N}, by which the bits of a sample are estimated.

    The others: see :class:`ganvas.model.code_model.CodeModel`.

    Raises:
        OptionError: numbers out of their range; see also the base.
    """

    reports = CodeModel.reports
    causal = False

    def __init__(
        self,
        *,
        prior: Callable[..., Prior],
        tokenizer: Tokenizer | None = None,
        conditional: bool,
        label_dropout: float,
        ema: WeightAverage | None,
        optimizer: Callable[[Any], Optimizer],
        grad_clip: float | None,
        temperature: float,
        top_k: int | None,
        top_p: float,
        guidance: float,
        steps: int,
        choice_temperature: float,
        estimates: int,
        seed: int,
    ) -> None:
        require(steps >= 1, "steps", steps, "must be at least 1 forward pass; 12 is usual")
        warm = math.isfinite(choice_temperature) and choice_temperature >= 0
        require(warm, "choice_temperature", choice_temperature, "must be 0 or more; 4.5 is usual")
        require(estimates >= 1, "estimates", estimates, "must be at least 1; 8 is usual")
        super().__init__(
            prior=prior,
            tokenizer=tokenizer,
            conditional=conditional,
            label_dropout=label_dropout,
            ema=ema,
            optimizer=optimizer,
            grad_clip=grad_clip,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            guidance=guidance,
            seed=seed,
        )
        self.steps, self.choice_temperature, self.estimates = steps, choice_temperature, estimates

    def step(self, batch: Batch, draws: Draws) -> None:
        codes, length = batch.x, batch.x.shape[1]
        share = draws.uniform("share", len(codes), 1)
        order = draws.uniform("order", *codes.shape)
        hidden, weight = hide(order, (share * length).long().clamp(max=length - 1) + 1)
        nats = self._hidden_nats(self.prior, codes, self.labels_for_training(batch, draws), hidden)
        self.descend("prior", {"loss/nats_per_code": ((nats * weight).sum(1) / length).mean()})

    def nats(self, network: Prior, codes: Tensor, label: Tensor | None, number: Tensor) -> Tensor:
        """Of ``estimates`` draws the mean; their m are spread evenly over {1, ..., N}."""
        length = codes.shape[1]
        place = torch.arange(length, device=codes.device)
        total = torch.zeros(len(codes), device=codes.device)
        for draw in range(self.estimates):
            order = _uniform(number[:, None] * length + place, "order", draw)
            stratum = (_uniform(number, "share", draw) + draw) / self.estimates
            m = (stratum * length).long().clamp(max=length - 1) + 1
            hidden, weight = hide(order, m[:, None])
            total += (self._hidden_nats(network, codes, label, hidden) * weight).sum(1)
        return total / self.estimates

    def _hidden_nats(self, network: Prior, codes: Tensor, label: Tensor | None, hidden: Tensor) -> Tensor:
        """-log p of each code [B, N] given those that are not hidden; 0 where it is seen."""
        shown = codes.masked_fill(hidden, network.layout.vocabulary)
        return nats_of(network(shown, label), codes) * hidden

    @torch.no_grad()
    def draw_in_steps(
        self,
        num: int,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> list[DrawnStep]:
        """As :meth:`draw`, each step of it; the last one's codes are what ``draw`` gives."""
        drawing, label = self.drawing_and_label(num, seed, start, label, drawing)
        network = self.network(ema=ema)
        with eval_mode(network):
            return list(self.drawn_steps(network, self.all_hidden(num), seed, start, label, drawing))

    def drawn_steps(
        self,
        network: Prior,
        codes: Tensor,
        seed: int,
        start: int,
        label: Tensor | None,
        drawing: Drawing,
    ) -> Iterator[DrawnStep]:
        """All hidden codes are drawn at once; those of the largest log p + noise stay.

        After step s of S a share cos(pi s / 2 S) of all that were hidden are hidden still.

        Args:
            codes: int64 [num, N]; ``layout.vocabulary`` where a code is to be drawn, as many in each row.
        """
        hidden_first = codes == network.layout.vocabulary
        count = int(hidden_first.sum(1).max()) if len(codes) else 0
        steps = min(drawing.steps or self.steps, max(count, 1))
        shape = (steps, 2, codes.shape[1])
        numbers = uniforms(seed, start, len(codes), *shape, device=codes.device)
        for number in range(steps):
            hidden = codes == network.layout.vocabulary
            logits = self._logits(network, codes, label, drawing.guidance)
            found = pick(filtered(logits, drawing), numbers[:, number, 0])
            sure = logits.log_softmax(-1).gather(2, found[..., None])[..., 0]
            left = still_hidden(count, number + 1, steps)
            warmth = self.choice_temperature * (1 - (number + 1) / steps)
            noise = -(-numbers[:, number, 1].clamp(1e-12, 1 - 1e-7).log()).log()
            score = (widened(sure) + warmth * noise).masked_fill(~hidden, torch.inf)
            stays = torch.ones_like(hidden)
            if left:
                again = score.topk(left, dim=1, largest=False, sorted=False).indices
                stays.scatter_(1, again, value=False)
            guess = codes.where(~hidden, found)
            codes = codes.where(~hidden | ~stays, found)
            yield DrawnStep(codes, guess)

    def _logits(self, network: Prior, codes: Tensor, label: Tensor | None, guidance: float) -> Tensor:
        if guidance == 1 or label is None:
            return network(codes, label)
        none = torch.full_like(label, network.num_classes or 0)
        by_class, without = network(codes.repeat(2, 1), torch.cat([label, none])).chunk(2)
        return guide(by_class, without, guidance)


def still_hidden(count: int, step: int, steps: int) -> int:
    """How many of ``count`` codes are hidden after step 1, ..., ``steps``: a cosine, fewer at every step."""
    if step >= steps:
        return 0
    return min(count - step, int(count * math.cos(math.pi / 2 * step / steps)))


def hide(order: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """Hides the m first codes in an order: bool [B, N], and N / m float32 [B, 1] by which their sum counts.

    Args:
        order: numbers [B, N], whose ranks are the order.
        m: int64 [B, 1] in [1, N].
    """
    rank = order.argsort(1).argsort(1)
    return rank < m, order.shape[1] / m.to(torch.float32)


def _uniform(index: Tensor, purpose: str, draw: int) -> Tensor:
    """Numbers in [0, 1], a function of each element of ``index`` int64."""
    return widened(hash_index(index, purpose, draw) >> 10) / 2**53

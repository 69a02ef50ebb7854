"""An autoregressive prior over codes: each is said given those before it (van den Oord 2017, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch
from ganvas.functional.next_code import Drawing, DrawnStep, filtered, pick, uniforms
from ganvas.functional.random import Draws
from ganvas.model.code_model import CodeModel, guide, nats_of
from ganvas.model.prior.interface import Prior


class Autoregressive(CodeModel):
    """-log p(codes) = sum_i -log p(code_i | codes before it, class), minimized as a mean over codes.

    Args: see :class:`ganvas.model.code_model.CodeModel`.
    """

    reports = CodeModel.reports

    def step(self, batch: Batch, draws: Draws) -> None:
        logits = self.prior(batch.x, self.labels_for_training(batch, draws))  # [B, N, V]
        self.descend("prior", {"loss/nats_per_code": nats_of(logits, batch.x).mean()})

    def nats(self, network: Prior, codes: Tensor, label: Tensor | None, number: Tensor) -> Tensor:
        return nats_of(network(codes, label), codes).sum(1)

    def check_drawing(self, drawing: Drawing) -> None:
        super().check_drawing(drawing)
        if drawing.steps is not None:
            raise OptionError("steps", drawing.steps, "is of model=masked; here each code is a step")

    def check_known(self, known: Tensor) -> None:
        count = int(known.sum())
        first = bool(known[:count].all())
        value = f"{count} codes that are not the first of {len(known)}"
        rule = "a code is drawn given those before it alone; a prior of model=masked takes any"
        require(first, "known", value, rule)

    def drawn_steps(
        self, network: Prior, codes: Tensor, seed: int, start: int, label: Tensor | None, drawing: Drawing
    ) -> Iterator[DrawnStep]:
        """A step a code, in their order; steps of codes that are given are there too."""
        num, length = codes.shape
        uniform = uniforms(seed, start, num, length, device=self.device)
        given, codes = codes != network.layout.vocabulary, codes.clone()
        guided = drawing.guidance != 1 and label is not None
        if guided:  # the second half is without a class
            assert label is not None
            label = torch.cat([label, torch.full_like(label, network.num_classes or 0)])
        state = network.begin(2 * num if guided else num, label)
        previous: Tensor | None = None
        for place in range(length):
            logits = network.following(state, previous)  # [B, V]
            if guided:
                by_class, without = logits.chunk(2)
                logits = guide(by_class, without, drawing.guidance)
            found = pick(filtered(logits, drawing), uniform[:, place])
            codes[:, place] = codes[:, place].where(given[:, place], found)
            previous = codes[:, place].repeat(2) if guided else codes[:, place]
            yield DrawnStep(codes, None)

"""A small prior, causal by construction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.functional.code_layout import CodeLayout


class ToyPrior(nn.Module):
    """A recurrent network of random weights: logits come of the state that the elements before left.

    They are sharp, and depend on all codes before and on the label.
    """

    def __init__(
        self, layout: CodeLayout, num_classes: int | None = None, seed: int = 0, sharpness: float = 3.0
    ) -> None:
        super().__init__()
        self.layout, self.num_classes = layout, num_classes
        draws, width, vocabulary = torch.Generator().manual_seed(seed), 16, layout.vocabulary

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=draws))

        self.label = normal((num_classes or 0) + 1, width)
        self.code, self.place = normal(vocabulary, width), normal(layout.length, width)
        self.again = nn.Parameter(normal(width, width).data / 4)
        self.out = nn.Parameter(normal(width, vocabulary).data * sharpness / 4)
        self.register_buffer("sizes", layout.element_sizes())

    def begin(self, batch: int, label: Tensor | None = None) -> list[Tensor | int]:
        if label is None:
            label = torch.full((batch,), self.num_classes or 0)
        return [self.label[label], 0]

    def following(self, state: list, previous: Tensor | None) -> Tensor:
        hidden, element = state
        if previous is not None:
            hidden = hidden + self.code[previous]
        state[0] = hidden = torch.tanh(hidden @ self.again + self.place[element])
        state[1] = element + 1
        beyond = torch.arange(self.layout.vocabulary) >= self.sizes[element]
        return (hidden @ self.out).masked_fill(beyond, -torch.inf)

    @torch.no_grad()
    def sample(self, batch: int, label: Tensor | None = None, seed: int = 0) -> tuple[Tensor, float]:
        """Codes drawn from the prior, and their bits under it."""
        draws, state, codes, bits = torch.Generator().manual_seed(seed), self.begin(batch, label), [], 0.0
        for _ in range(self.layout.length):
            logits = self.following(state, codes[-1] if codes else None)
            codes.append(torch.multinomial(logits.softmax(1), 1, generator=draws)[:, 0])
            logs = logits.double().log_softmax(1).gather(1, codes[-1][:, None])
            bits -= float(logs.sum()) / torch.log(torch.tensor(2.0)).item()
        return torch.stack(codes, dim=1), bits

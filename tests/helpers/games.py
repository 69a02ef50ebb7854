"""One step of the adversarial game, for tests of its regularizers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ganvas.functional.random import Draws
from ganvas.model.regularizer.interface import Game


def play(**options: Any) -> Game:
    """A game of 4 samples of 1x8x8 with D(x) = <w, x> and G(z) = A z, as far as nothing else is given."""
    torch.manual_seed(0)
    w, a = torch.randn(64, dtype=torch.float64), torch.randn(3, 64, dtype=torch.float64, requires_grad=True)
    z, real = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 1, 8, 8, dtype=torch.float64)

    def generate(latents: Any) -> Any:
        return (latents @ a).view(-1, 1, 8, 8)

    def discriminate(x: Any) -> Any:
        return x.flatten(1) @ w

    parts: dict[str, Any] = {
        "z": z,
        "made": generate(z),
        "real": real,
        "fake": generate(z),
        "real_logits": discriminate(real),
        "fake_logits": discriminate(generate(z)),
        "discriminate": discriminate,
        "generate": generate,
        "show": lambda x: x,
        "generator": nn.Identity(),
        "label": None,
        "draws": Draws(7, 0),
        "examples_seen": 1000,
        "whole_batch": lambda values: values,
    }
    return Game(**parts | options)

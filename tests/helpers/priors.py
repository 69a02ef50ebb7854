"""Every option of conf/model/prior at a small size, over layouts of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from ganvas.functional.code_layout import CodeLayout
from ganvas.model.prior.interface import Prior
from ganvas.run.config.build import build

CONF = Path(__file__).parents[2] / "conf/model/prior"
# Sizes at which an option is quick; one without a line here is taken as its YAML has it.
SMALL: dict[str, dict[str, Any]] = {
    "transformer": {"width": 16, "depth": 2, "heads": 2},
    "pixelcnn": {"channels": 8, "layers": 3, "kernel_size": 3, "skip_channels": 12, "condition_blocks": 1},
}
LAYOUTS = {
    "grid": CodeLayout(((7,),), ((3, 4),)),
    "residual": CodeLayout(((5, 3, 4),), ((2, 3),)),
    "pyramid": CodeLayout(((3, 6), (4,), (5,)), ((1, 2), (2, 2), (3, 4))),
    "row": CodeLayout(((4, 6),), ((5,),)),
    "one vector": CodeLayout(((5, 4, 3),), ((),)),
    "rows and a grid": CodeLayout(((4,), (3, 5)), ((3,), (2, 2))),
}
Make = Callable[..., Prior]


def codes_of(layout: CodeLayout, number: int, seed: int = 3) -> Tensor:
    """Codes int64 [number, N], each of its level."""
    made = torch.rand(number, layout.length, generator=torch.Generator().manual_seed(seed))
    return (made * layout.element_sizes()).long()


NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def maker(name: str) -> Make:
    """What makes a prior of one option, in float64 and eval mode, of layout, classes and further options."""
    node = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    assert node["_partial_"] is True

    def made(layout: CodeLayout, num_classes: int | None = None, **options: Any) -> Prior:
        torch.manual_seed(0)
        prior = build(node | SMALL.get(name, {}) | options, "model.prior")
        return prior(layout=layout, num_classes=num_classes).double().eval()

    return made


def step_by_step(prior: Prior, codes: Tensor, label: Tensor | None = None) -> Tensor:
    """Logits [B, N, V] by begin and following."""
    state, previous, made = prior.begin(len(codes), label), None, []
    for place in range(codes.shape[1]):
        made.append(prior.following(state, previous))
        previous = codes[:, place]
    return torch.stack(made, dim=1)

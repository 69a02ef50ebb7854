"""Adam (Kingma & Ba 2015, arXiv:1412.6980), fused where torch has the kernel."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn import Parameter

from ganvas.errors import require, require_number


def adam(
    params: Iterable[Parameter],
    lr: float = 2e-4,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """torch's Adam as one fused kernel for all parameters: the same update in fewer calls.

    Every number may be a schedule where a recipe takes this as a partial.

    Raises:
        OptionError: a rate or ``eps`` that is not positive, a beta outside [0, 1), a negative decay.
    """
    require_number("lr", lr, "2e-4 is usual for GANs, 3e-4 for VQ-VAEs", positive=True)
    require(0 <= beta1 < 1, "beta1", beta1, "must be in [0, 1); 0.5 or 0 is usual for GANs")
    require(0 <= beta2 < 1, "beta2", beta2, "must be in [0, 1); 0.999 is usual, 0.9 or 0.99 for GANs")
    require_number("eps", eps, "1e-8 is usual", positive=True)
    require_number("weight_decay", weight_decay, "0 switches it off")
    betas = beta1, beta2
    return torch.optim.Adam(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)

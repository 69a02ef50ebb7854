"""What every prior's forward passes on its way: codes and labels in, logits out.

:class:`ganvas.model.prior.interface.Prior` puts it around the method of all its subclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.jit import is_tracing

from ganvas.functional.precision import WIDE


def of_codes(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The contract of ``forward``."""

    def with_contract(prior: Any, codes: Tensor, label: Tensor | None = None) -> Tensor:
        length = prior.layout.length
        if codes.dtype != torch.int64 or codes.ndim != 2 or codes.shape[1] != length:
            found = f"codes are {codes.dtype} of shape {list(codes.shape)}"
            raise ValueError(f"{found}: must be int64 [B, {length}]")
        if looks(codes):
            above = prior.element_sizes  # [N]
            wrong = (codes < 0) | (codes >= above)
            if not prior.causal:
                wrong &= codes != prior.layout.vocabulary
            if wrong.any():
                mask = "" if prior.causal else f", or {prior.layout.vocabulary}, the mask"
                found = f"codes hold {int(codes[wrong][0])}"
                raise ValueError(f"{found}: each must be in [0, the number of codes of its level){mask}")
        logits = forward(prior, codes, resolve_label(prior, label, codes.shape[0], codes.device))
        if logits.shape[1:] != (length, prior.layout.vocabulary):
            found = f"{type(prior).__name__} gives logits of shape {list(logits.shape)}"
            raise ValueError(f"{found}: must be [B, {length}, {prior.layout.vocabulary}]")
        logits = logits if logits.dtype in WIDE else logits.float()
        if prior.has_lacking:
            logits = logits.masked_fill(prior.lacking[prior.element_levels], -torch.inf)
        return logits

    return with_contract


def resolve_label(prior: Any, label: Tensor | None, batch: int, device: torch.device) -> Tensor | None:
    """Labels int64 [B] of a prior with classes, "no class" where there are none; None of one without.

    Raises:
        ValueError: labels of a prior without classes, of another type or shape, or out of range.
    """
    classes = prior.num_classes
    if classes is None:
        if label is not None:
            raise ValueError("label: this prior has no classes (num_classes=null); give None")
        return None
    if label is None:
        return torch.full((batch,), classes, dtype=torch.int64, device=device)
    if label.dtype != torch.int64 or label.ndim != 1 or label.shape[0] != batch:
        found = f"label is {label.dtype} of shape {list(label.shape)}"
        raise ValueError(f"{found}: must be int64 [{batch}], one a sequence")
    if looks(label):
        wrong = (label < 0) | (label > classes)
        if wrong.any():
            found = f"label holds {int(label[wrong][0])}"
            raise ValueError(f"{found}: each must be in [0, {classes}), or {classes}, no class")
    return label


def looks(values: Tensor) -> bool:
    """Whether values are looked at: on an accelerator the host would wait, and a program asks nothing."""
    return values.device.type == "cpu" and not is_compiling() and not is_tracing()

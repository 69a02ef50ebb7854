"""Whether stored weights and statistics are those of a model, and numbers that it can work with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from ganvas.functional.checked_values import MAX_COUNT

_TRUE_PRECISION = {"bf16-true": torch.bfloat16, "64-true": torch.float64}
_OF_NORMS = ("running_var", "num_batches_tracked")  # buffers of torch's layers of normalization


def check_weights(stored: Mapping[str, Tensor], model: nn.Module, precision: str) -> None:
    """Raises ValueError unless names, shapes and types are the model's and statistics are possible.

    Args:
        stored: by the names of ``model.state_dict()``.
        model: with weights of any value.
        precision: ``accelerator.precision``; with a true precision the stored floats have its type.
    """
    wanted = model.state_dict()
    for key in sorted(stored.keys() | wanted.keys()):
        held = tuple(stored[key].shape) if key in stored else None
        needed = tuple(wanted[key].shape) if key in wanted else None
        if held != needed:
            there = f"{key[:80]} of {held}" if held is not None else f"no {key[:80]}"
            raise ValueError(f"it holds {there}, the model {'none' if needed is None else needed}")
        kinds = {wanted[key].dtype}
        if wanted[key].is_floating_point() and precision in _TRUE_PRECISION:
            kinds = {_TRUE_PRECISION[precision], torch.float32}
        if stored[key].dtype not in kinds:
            raise ValueError(f"its {key} is {stored[key].dtype}, the model's {wanted[key].dtype}")
    for key in _never_negative(model):
        value = stored.get(key)
        if value is None or not value.numel():
            continue
        if value.min() < 0:
            raise ValueError(f"its {key} is negative")
        if not value.is_floating_point() and value.max() >= MAX_COUNT:
            raise ValueError(f"its {key} counts more than 2^53")


def _never_negative(model: nn.Module) -> Iterator[str]:
    """Names of the buffers that count, or are variances."""
    for prefix, module in model.named_modules(remove_duplicate=False):
        names = (*getattr(module, "never_negative", ()), *_OF_NORMS)
        own = {name for name, _ in module.named_buffers(recurse=False)}
        yield from (f"{prefix}.{name}" if prefix else name for name in names if name in own)

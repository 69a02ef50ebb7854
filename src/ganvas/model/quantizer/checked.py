"""What every quantizer's methods pass on their way: shapes, types, and numbers that are not finite.

:class:`ganvas.model.quantizer.interface.Quantizer` puts it around the methods of all its subclasses.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_compiling, is_exporting
from torch.jit import is_tracing

from ganvas.errors import OptionError
from ganvas.functional.codes import require_indices
from ganvas.functional.precision import WIDE


def of_latents(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The contract of ``forward``."""

    def with_contract(quantizer: Any, z: Tensor) -> Any:
        if not _fits(quantizer, z):
            _refuse(quantizer, z)
        wide = z if z.dtype in WIDE else z.float()
        # On an accelerator the host would wait for the answer; an exported or traced program asks nothing.
        looks = wide.device.type == "cpu" and not is_compiling()
        if is_exporting() or is_tracing() or (looks and math.isfinite(wide.detach().sum())):
            output = forward(quantizer, wide)
        else:
            output = _forward_without_bad(functools.partial(forward, quantizer), wide)
        return output if wide is z else output._replace(quantized=output.quantized.to(z.dtype))

    return with_contract


def _forward_without_bad(forward: Callable[[Tensor], Any], z: Tensor) -> Any:
    """Zeros in place of what is not finite, and NaN where that would show; changes no finite batch."""
    zeros = z.detach() * 0  # 0 * inf is NaN
    poison = zeros.sum()
    output = forward(z.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0))
    return output._replace(
        quantized=output.quantized + zeros,
        loss=output.loss + poison,
        metrics={name: value + poison for name, value in output.metrics.items()},
    )


def of_finite_latents(encode: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The contract of ``encode``."""

    def with_contract(quantizer: Any, z: Tensor) -> Tensor:
        if not _fits(quantizer, z):
            _refuse(quantizer, z)
        with torch.no_grad():
            wide = z if z.dtype in WIDE else z.float()
            if not (is_compiling() or is_tracing()):
                bad = wide.numel() - int(wide.isfinite().sum())
                if bad:
                    raise ValueError(
                        f"z of shape {list(z.shape)} holds {bad} numbers that are NaN or infinite, which "
                        "have no code; look at what the encoder was given, and at its weights"
                    )
            return encode(quantizer, wide)

    return with_contract


def of_indices(decode: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The contract of ``decode``."""

    def with_contract(quantizer: Any, indices: Tensor) -> Tensor:
        if indices.dtype.is_floating_point or indices.dtype.is_complex or indices.dtype == torch.bool:
            raise ValueError(f"indices of type {indices.dtype}: must be whole numbers, e.g. int64")
        if not (is_compiling() or is_tracing()):
            require_indices(indices, quantizer.num_codes)
        return decode(quantizer, indices.to(torch.int64))

    return with_contract


def _fits(quantizer: Any, z: Tensor) -> bool:
    return z.ndim >= 2 and z.shape[1] == quantizer.embedding_dim and z.dtype.is_floating_point


def _refuse(quantizer: Any, z: Tensor) -> None:
    if not z.dtype.is_floating_point:
        raise ValueError(f"z of type {z.dtype}: latents must be float")
    if z.ndim < 2:
        raise ValueError(f"z of shape {list(z.shape)}: latents are [B, D, *positions]")
    raise OptionError(
        "embedding_dim",
        quantizer.embedding_dim,
        f"latents of shape {list(z.shape)} have {z.shape[1]} channels, the codes {quantizer.embedding_dim}; "
        "give encoder, quantizer and decoder one embedding_dim",
    )

"""What every quantizer's methods pass on their way: shapes, types, masks, and numbers that are not finite.

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

from ganvas.errors import OptionError, require
from ganvas.functional.codes import require_indices
from ganvas.functional.precision import WIDE


def of_latents(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The contract of ``forward``."""

    def with_contract(quantizer: Any, z: Tensor, mask: Tensor | None = None) -> Any:
        if not _fits(quantizer, z):
            _refuse(quantizer, z)
        wide = z if z.dtype in WIDE else z.float()
        if mask is None:
            output = _looked_at(functools.partial(forward, quantizer), wide)
        else:
            _check_mask(mask, z)
            # what a mask leaves out is padding, and may be anything
            shown = wide.masked_fill(~mask[:, None], 0)
            output = _looked_at(lambda x: forward(quantizer, x, mask), shown)
        levels = len(quantizer.codebook_sizes)
        if output.indices.ndim < 2 or output.indices.shape[1] != levels:
            found = f"indices of shape {list(output.indices.shape)}: must be [B, levels, *positions]"
            raise ValueError(f"{type(quantizer).__name__} gives {found} with levels={levels}")
        return output if wide is z else output._replace(quantized=output.quantized.to(z.dtype))

    return with_contract


def _looked_at(forward: Callable[[Tensor], Any], wide: Tensor) -> Any:
    # On an accelerator the host would wait for the answer; an exported or traced program asks nothing.
    looks = wide.device.type == "cpu" and not is_compiling()
    if is_exporting() or is_tracing() or (looks and math.isfinite(wide.detach().sum())):
        return forward(wide)
    return _forward_without_bad(forward, wide)


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
    """The contract of ``decode``; what it wraps is called with indices alone, cut to the asked levels."""

    def with_contract(quantizer: Any, indices: Tensor, levels: int | None = None) -> Tensor:
        if indices.dtype.is_floating_point or indices.dtype.is_complex or indices.dtype == torch.bool:
            raise ValueError(f"indices of type {indices.dtype}: must be whole numbers, e.g. int64")
        sizes = quantizer.codebook_sizes
        if indices.ndim < 2 or not 1 <= indices.shape[1] <= len(sizes):
            shape, many = list(indices.shape), f"1 to {len(sizes)}" if len(sizes) > 1 else "1"
            raise ValueError(f"indices of shape {shape}: must be [B, levels, *positions] with {many} levels")
        if levels is not None:
            require(1 <= levels <= quantizer.num_cuts, "levels", levels, f"must be 1 to {quantizer.num_cuts}")
            indices = quantizer.cut(indices, levels)
        indices = indices.to(torch.int64)
        if is_compiling() or is_tracing():
            return decode(quantizer, indices)
        least = [require_indices(one, size, may_be_none=True) for one, size in zip(indices.unbind(1), sizes)]
        if min(least) >= 0:
            return decode(quantizer, indices)
        absent = indices < 0  # [B, levels, *positions]
        if not (quantizer.levels_may_be_absent or bool((absent == absent[:, :1]).all())):
            raise ValueError("indices hold -1 at some levels of a vector and not at all of them")
        vectors = decode(quantizer, indices if quantizer.levels_may_be_absent else indices.clamp(min=0))
        if vectors.shape[2:] != absent.shape[2:]:
            raise ValueError("indices hold -1, no code, which these positions have no place for")
        return vectors.masked_fill(absent[:, :1], 0)

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


def _check_mask(mask: Tensor, z: Tensor) -> None:
    shape = [z.shape[0], *z.shape[2:]]
    if mask.dtype != torch.bool or list(mask.shape) != shape:
        raise ValueError(f"mask {mask.dtype} of shape {list(mask.shape)}: must be bool of shape {shape}")

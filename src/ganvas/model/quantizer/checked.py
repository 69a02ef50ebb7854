"""What every quantizer's methods pass on their way: shapes, types, and numbers that are not finite.

:class:`ganvas.model.quantizer.interface.Quantizer` puts it around the methods of all its subclasses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.precision import at_least_float32

_LARGEST_INDEX = 2**63 - 1


def checked(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """``forward``, ``encode`` or ``decode`` of a quantizer with its contract around it."""
    around = {"forward": _forward, "encode": _encode, "decode": _decode}[name]

    @functools.wraps(method)
    def with_contract(self: Any, value: Tensor) -> Any:
        return around(self, functools.partial(method, self), value)

    return with_contract


def _forward(quantizer: Any, forward: Callable[[Tensor], Any], z: Tensor) -> Any:
    _check_latents(quantizer, z)
    wide = at_least_float32(z)
    # On an accelerator the host would wait for the answer; an exported program asks nothing.
    looks = wide.device.type == "cpu" and not torch.compiler.is_compiling()
    trusts = torch.compiler.is_exporting() or (looks and _is_finite_sum(wide))
    output = forward(wide) if trusts else _forward_without_bad(forward, wide)
    return output if wide is z else output._replace(quantized=output.quantized.to(z.dtype))


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


def _encode(quantizer: Any, encode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    _check_latents(quantizer, z)
    with torch.no_grad():
        wide = at_least_float32(z)
        if not torch.compiler.is_compiling() and not _is_finite_sum(wide):
            bad = wide.numel() - int(wide.isfinite().sum())
            if bad:
                raise ValueError(
                    f"z of shape {list(z.shape)} holds {bad} numbers that are NaN or infinite, which have no "
                    "code; look at what the encoder was given, and at its weights"
                )
        return encode(wide)


def _decode(quantizer: Any, decode: Callable[[Tensor], Tensor], indices: Tensor) -> Tensor:
    if indices.dtype.is_floating_point or indices.dtype.is_complex or indices.dtype == torch.bool:
        raise ValueError(f"indices of type {indices.dtype}: must be whole numbers, e.g. int64")
    if not torch.compiler.is_compiling() and indices.numel():
        least, most = (int(number) for number in indices.aminmax())
        if least < 0 or most > min(quantizer.num_codes - 1, _LARGEST_INDEX):
            wrong = least if least < 0 else most
            raise ValueError(f"indices hold {wrong}: each must be in [0, {quantizer.num_codes})")
    return decode(indices)


def _check_latents(quantizer: Any, z: Tensor) -> None:
    if not z.dtype.is_floating_point:
        raise ValueError(f"z of type {z.dtype}: latents must be float")
    if z.ndim < 2:
        raise ValueError(f"z of shape {list(z.shape)}: latents are [B, D, *positions]")
    require(
        z.shape[1] == quantizer.embedding_dim,
        "embedding_dim",
        quantizer.embedding_dim,
        f"latents of shape {list(z.shape)} have {z.shape[1]} channels, the codes {quantizer.embedding_dim}; "
        "give encoder, quantizer and decoder one embedding_dim",
    )


def _is_finite_sum(z: Tensor) -> bool:
    """Whether all is finite, by one pass; false also where finite numbers' sum overflows."""
    return bool(z.detach().sum().isfinite())

"""How far the device's numbers may lie from the CPU's."""

from __future__ import annotations

from typing import Any

from torch import Tensor

TOLERANCE = 2e-3  # of the largest value of a tensor; kernels add up in other orders
TOLERANCE_FLOAT64 = 1e-7


def compared(reference: dict[str, Tensor], found: dict[str, Tensor], tolerance: float) -> dict[str, Any]:
    """The worst deviation: of floats over the largest value, of whole numbers the share that differs.

    A gradient that is zero but for rounding (a bias before BatchNorm) is held against a hundredth of the
    part's largest one.
    """
    if reference.keys() != found.keys():
        raise AssertionError(f"the CPU gives {sorted(reference)}, the device {sorted(found)}")
    gradients = [value.abs().max().item() for name, value in reference.items() if name.startswith("d/d")]
    least = max(gradients, default=0.0) / 100
    worst, where = 0.0, ""
    for name, value in reference.items():
        other = found[name]
        if value.is_floating_point():
            scale = max(value.abs().max().item(), least if name.startswith("d/d") else 0.0, 1e-12)
            deviation = (value.double() - other.double()).abs().max().item() / scale
        else:
            deviation = (value != other).double().mean().item()
        if not deviation <= worst:  # NaN too
            worst, where = deviation, name
    return {"worst": worst, "where": where, "tolerance": tolerance}

"""No forward pass asks the device for a value once the codes are made: the host would wait for it.

Counted on the CPU, whose own lines (``_OF_THE_CPU``) are left out; what an accelerator alone runs is not seen
here: benchmarks/gpu/synchronization.py watches it there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganvas.functional.codes import require_indices
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.interface import Quantizer

_READS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal")
_OF_THE_CPU = {"checked.py _looked_at", "codebook.py restart", "code_usage.py count_codes"}


class _Reads(TorchDispatchMode):
    """Collects the lines of ours that read a value, as ``file function``."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func).startswith(_READS):
            place = next(_ours())
            if place not in _OF_THE_CPU and not place.startswith("host_search.py"):
                self.places.append(place)
        return func(*args, **(kwargs or {}))


def _ours() -> Iterator[str]:
    frame = sys._getframe(1)
    while frame is not None:
        if "/ganvas/" in frame.f_code.co_filename:
            yield f"{Path(frame.f_code.co_filename).name} {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]  # None at the outermost
    yield "no line of ours"


def _reads(quantizer: Quantizer, z: Tensor, mask: Tensor | None) -> list[str]:
    with _Reads() as seen:
        output = quantizer(z, mask)
        (output.loss + output.quantized.sum()).backward()
    return seen.places


def test_a_forward_pass_asks_for_no_value(subject: Subject) -> None:
    _asks_for_none(subject)


def test_nor_does_one_of_other_options(variant: Subject) -> None:
    _asks_for_none(variant)


def _asks_for_none(subject: Subject) -> None:
    torch.manual_seed(0)
    quantizer, z = subject.trained(training=True), subject.latents().requires_grad_(True)
    assert _reads(quantizer, z, None) == []
    if () in subject.positions:  # others are of maps, which have no mask
        there = torch.rand_like(z[:, 0]) > 0.4
        assert _reads(quantizer, z, there) == []
        assert _reads(quantizer, z, there & False) == []


def test_a_value_that_is_read_is_seen() -> None:
    with _Reads() as seen:
        require_indices(torch.tensor([1, 2]), 3)
    assert seen.places[0].startswith("codes.py")

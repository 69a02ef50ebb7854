from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganvas.functional import chunks
from ganvas.functional.chunks import Parts, in_chunks


def _soft(rows: Tensor, weight: Tensor, codes: Tensor) -> tuple[Parts, Parts]:
    share = (rows @ codes.T).softmax(1)  # [n, K]
    return (share @ codes, share.argmax(1)), (weight @ share, (weight * rows[:, 0]).sum())


def _run(width: int) -> list[Tensor]:
    torch.manual_seed(0)
    rows, codes = (torch.randn(n, 3, dtype=torch.float64).requires_grad_(True) for n in (23, 5))
    weight = torch.rand(23, dtype=torch.float64)
    (soft, index), (total, number) = in_chunks(_soft, (rows, weight), codes, width=width)
    (soft.square().sum() + (total**3).sum() + number**2).backward()
    assert rows.grad is not None
    assert codes.grad is not None
    return [soft.detach(), index, total.detach(), number.detach(), rows.grad, codes.grad]


@pytest.mark.parametrize("width", [2**19, 2**18 - 1, 2**25])  # parts of 2, 4 and 1 rows
def test_parts_are_the_whole(width: int) -> None:
    for found, expected in zip(_run(width), _run(5), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


class _Largest(TorchDispatchMode):
    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.numel = max(self.numel, found.numel())
        return found


def test_neither_pass_holds_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_CPU_NUMBERS", 1000)
    rows, codes = torch.randn(400, 3).requires_grad_(True), torch.randn(50, 3).requires_grad_(True)
    with _Largest() as seen:
        (soft, _), (total, _) = in_chunks(_soft, (rows, torch.ones(400)), codes, width=50)
        (soft.sum() + total.square().sum()).backward()
    assert 1000 <= seen.numel <= 1200  # 400 * 3 of the rows themselves, not 400 * 50

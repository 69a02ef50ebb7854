"""The best code of each vector on a GPU, by one kernel of Triton that never writes its scores to memory."""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# (a kernel is a language of its own, whose arguments are pointers)
from __future__ import annotations

import torch
from torch import Tensor

try:  # torch's builds for CUDA bring it
    import triton
    import triton.language as tl
except ImportError:
    triton = None

_ROWS, _CODES, _DEPTH = 128, 64, 32  # of a block; a program keeps a block's scores in its registers
_LEAST_DEPTH = 16  # of Triton's products


def is_there() -> bool:
    """Whether Triton is installed."""
    return triton is not None


def best_code(rows: Tensor, codes: Tensor, offset: Tensor, origin: Tensor) -> Tensor:
    """Index of the code with the largest (z - o).e + b, the first of equal ones.

    Products are those of float32, whatever torch allows. A program takes a block of rows and meets all codes
    with it, block by block, keeping each row's best score and its index.

    Args:
        rows: z, [N, D], float32, float16 or bfloat16.
        codes: e, [K, D], float32.
        offset: b, [K], float32.
        origin: o, [D], float32.

    Returns:
        int64 [N] in [0, K); of a row that is not finite any of these.
    """
    rows, codes, width = rows.contiguous(), codes.contiguous(), rows.shape[1]
    best = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    if not rows.numel():
        return best
    depth = max(min(_DEPTH, 1 << (width - 1).bit_length()), _LEAST_DEPTH)
    sizes = {"count": len(rows), "size": len(codes), "width": width}
    blocks = {"ROWS": _ROWS, "CODES": _CODES, "DEPTH": depth}
    with torch.cuda.device_of(rows):
        _search[(-(-len(rows) // _ROWS),)](rows, codes, offset, origin, best, **sizes, **blocks)
    return best


if triton is not None:

    @triton.jit
    def _search(
        rows,
        codes,
        offset,
        origin,
        best,
        count,
        size,
        width,
        ROWS: tl.constexpr,
        CODES: tl.constexpr,
        DEPTH: tl.constexpr,
    ):
        row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
        highest = tl.full((ROWS,), float("-inf"), tl.float32)
        index = tl.zeros((ROWS,), tl.int64)
        for first in range(0, size, CODES):
            code = first + tl.arange(0, CODES)
            score = tl.zeros((ROWS, CODES), tl.float32)
            for begin in range(0, width, DEPTH):
                dim = begin + tl.arange(0, DEPTH)
                inside = dim < width
                asked = (row < count)[:, None] & inside[None, :]
                z = tl.load(rows + row[:, None] * width + dim[None, :], mask=asked, other=0.0).to(tl.float32)
                z -= tl.load(origin + dim, mask=inside, other=0.0)[None, :]
                asked = (code < size)[None, :] & inside[:, None]
                place = code[None, :].to(tl.int64) * width + dim[:, None]
                e = tl.load(codes + place, mask=asked, other=0.0)
                score = tl.dot(z, e, score, input_precision="ieee")
            score += tl.load(offset + code, mask=code < size, other=float("-inf"))[None, :]
            score = tl.where(score > float("-inf"), score, float("-inf"))  # NaN is never the best
            value, where = tl.max(score, 1, return_indices=True, return_indices_tie_break_left=True)
            index = tl.where(value > highest, first + where, index)
            highest = tl.maximum(highest, value)
        tl.store(best + row, index, mask=row < count)

"""The nearest code of each vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch import Tensor
from torch.compiler import is_compiling, is_exporting
from torch.jit import is_tracing

_CPU_SCORES = 2**20  # rows times codes at a time: 4 MiB of float32, which stay in the cache
_ACCELERATOR_SCORES = 2**24  # 64 MiB: fewer kernels
_CENTRE_SAMPLE = 31  # codes whose median is the centre; all of a large codebook would cost a sort of it
# A squared distance below this share of the vector's squared length is looked at again: above, rounding of
# float32 (2^-24 of the length, some roundings) stays below a thousandth of it.
_DOUBTFUL = 2.0**-10
_ROUNDING = 2.0**-18  # of a score, as a share of that length: some roundings of sums of up to 4,096 products


@torch.no_grad()
def nearest_code(rows: Tensor, codebook: Tensor) -> Tensor:
    """Index of the code with the least Euclidean distance to each row; the first of equal ones.

    It maximizes z.e - |e|^2/2 in float32 whatever the autocast and the matmul precision; in float64 where
    an argument is. A centre is subtracted from both: at a mean of 100, 1.8 % of the codes would be wrong
    without. It is the median of each dimension and not the mean, which a single far-away code owns. On the
    CPU, rows that lie much nearer to their code than to the centre and have another code about as near, as
    between clusters that are far apart, are searched again in float64; on an accelerator, where the host
    would have to wait, they are not.
    The matrix of rows by codes is made in chunks, and never held whole, but for a program that torch.export
    or torch.jit.trace makes: how many chunks there are would be fixed in it.

    Args:
        rows: [N, D], any float type.
        codebook: [K, D], any float type.

    Returns:
        int64 [N] in [0, K); of a row or codes that are not finite any of these.
    """
    with torch.autocast(rows.device.type, enabled=False), _full_precision(rows.device):
        dtype = torch.promote_types(torch.promote_types(codebook.dtype, rows.dtype), torch.float32)
        codes = codebook.to(dtype)
        centre = _median(codes)
        on_host = rows.device.type == "cpu" and not (is_compiling() or is_tracing())
        index, doubtful = _search(rows, codes, centre, doubts=on_host and dtype == torch.float32)
        again = doubtful.nonzero().squeeze(1) if doubtful is not None else ()
        if len(again):
            index[again], _ = _search(rows[again], codes.double(), centre.double())
        return index


def _search(
    rows: Tensor, codes: Tensor, centre: Tensor, *, doubts: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Indices int64 [N], in the codes' type, and where asked whether each is in doubt, bool [N]."""
    codes = codes - centre
    offset = codes.square().sum(1).mul_(-0.5)  # [K]
    if is_exporting() or is_tracing():
        chunks: Sequence[Tensor] = (rows,)
    else:
        scores = _CPU_SCORES if rows.device.type == "cpu" else _ACCELERATOR_SCORES
        chunks = rows.split(max(scores // len(codes), 1))
    parts = [_search_part(part.to(codes.dtype) - centre, codes, offset, doubts) for part in chunks]
    indices, doubtful = zip(*parts, strict=True)
    return torch.cat(indices), torch.cat(doubtful) if doubts else None


def _search_part(z: Tensor, codes: Tensor, offset: Tensor, doubts: bool) -> tuple[Tensor, Tensor | None]:
    scores = torch.addmm(offset, z, codes.T)  # [n, K]
    index = _argmax(scores)
    if not doubts:
        return index, None
    best = scores.gather(1, index[:, None]).squeeze(1)  # (|z|^2 - |z - e|^2) / 2
    length = z.square().sum(1)
    doubtful = 2 * best > (1 - _DOUBTFUL) * length
    if doubtful.any():  # but not where all other codes are far, as for vectors of a plain background
        rows = doubtful.nonzero().squeeze(1)
        rivals = scores[rows] >= (best - _ROUNDING * length)[rows, None]
        doubtful[rows] = rivals.sum(1) > 1
    return index, doubtful


def _median(codes: Tensor) -> Tensor:
    """[D]: of each dimension of some evenly spaced codes, and so one of its values."""
    some = codes[:: -(-len(codes) // _CENTRE_SAMPLE)]
    return some.sort(0).values[len(some) // 2]  # torch.median is not deterministic on an accelerator


def _argmax(scores: Tensor) -> Tensor:
    """[n, K] to int64 [n]: the first of equal ones, or the first NaN, in each row."""
    if scores.device.type == "cpu" and not (is_compiling() or is_tracing()):
        with suppress(RuntimeError):  # a tensor within torch.func.grad has no array
            return torch.from_numpy(scores.numpy().argmax(1))  # several times as fast as torch's, and equal
    return scores.argmax(1)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Float32 products as such: TensorFloat-32, where a run allows it, keeps 10 bits."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cpu" or before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

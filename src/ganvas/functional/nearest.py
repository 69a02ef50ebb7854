"""The code that is nearest to each vector, or most similar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch import Tensor
from torch.compiler import is_compiling, is_exporting
from torch.jit import is_tracing

from ganvas.errors import require
from ganvas.functional import host_search

_CPU_SCORES = 2**20  # rows times codes at a time, of a compiled program on the CPU: 4 MiB of float32
_ACCELERATOR_SCORES = 2**24  # 64 MiB: fewer kernels
_CENTRE_SAMPLE = 31  # codes whose median is the centre; all of a large codebook would cost a sort of it

_chosen = {"fused": False}  # of the process


def nearest_code(rows: Tensor, codebook: Tensor) -> Tensor:
    """Index of the code with the least Euclidean distance to each row; the first of equal ones.

    It maximizes z.e - |e|^2/2 in float32 whatever the autocast and the matmul precision; in float64 where
    an argument is. A centre is subtracted from both: at a mean of 100, 1.8 % of the codes would be wrong
    without. It is the median of each dimension and not the mean, which a single far-away code owns. On the
    CPU, rows that lie much nearer to their code than to the centre and have another code about as near, as
    between clusters that are far apart, are searched again in float64; on an accelerator, where the host
    would have to wait, they are not.
    The matrix of rows by codes is made in blocks, and never held whole, but for a program that torch.export
    or torch.jit.trace makes: how many blocks there are would be fixed in it. On the CPU the search needs at
    most 8 MiB beside its arguments and its result, whatever N and K. On a GPU one kernel can do it all:
    :func:`fused`.

    Args:
        rows: [N, D], any float type.
        codebook: [K, D], any float type.

    Returns:
        int64 [N] in [0, K); of a row or codes that are not finite any of these.
    """
    return _best_code(rows, codebook, by_distance=True)


def most_similar_code(rows: Tensor, codebook: Tensor) -> Tensor:
    """Index of the code with the largest dot product with each row; the first of equal ones.

    As :func:`nearest_code` in types, precision and memory; a centre is subtracted from the codes alone,
    which changes all products of a row by the same number. Products that differ by less than float32
    resolves are not looked at again.

    Args:
        rows: [N, D], any float type.
        codebook: [K, D], any float type.

    Returns:
        int64 [N] in [0, K); of a row or codes that are not finite any of these.
    """
    return _best_code(rows, codebook, by_distance=False)


def fused() -> bool:
    """Whether a search in float32 on a GPU is one kernel of Triton; by default it is of torch's operators."""
    return _chosen["fused"]


def set_fused(wanted: bool) -> None:
    """Sets what :func:`fused` gives, for the whole process, as torch.set_float32_matmul_precision.

    Raises:
        OptionError: ``fused_search`` where there is no GPU that CUDA knows, or no Triton.
    """
    if wanted:
        from ganvas.functional import fused_search  # which imports Triton

        there = torch.cuda.is_available() and fused_search.is_there()
        require(there, "fused_search", True, "needs a GPU that CUDA knows, and Triton; choose false")
    _chosen["fused"] = wanted


@torch.no_grad()
def _best_code(rows: Tensor, codebook: Tensor, *, by_distance: bool) -> Tensor:
    with torch.autocast(rows.device.type, enabled=False), _full_precision(rows.device):
        dtype = torch.promote_types(torch.promote_types(codebook.dtype, rows.dtype), torch.float32)
        centre = _median(codebook).to(dtype)
        if rows.device.type == "cpu" and not (is_compiling() or is_tracing()):
            with suppress(RuntimeError):  # a tensor within torch.func.grad has no array
                (rows[:1] + centre).numpy()
                doubts = by_distance and dtype == torch.float32
                return host_search.search(rows, codebook, centre, by_distance=by_distance, doubts=doubts)
        return _search(rows, codebook.to(dtype), centre, by_distance)


def _search(rows: Tensor, codes: Tensor, centre: Tensor, by_distance: bool) -> Tensor:
    """Indices int64 [N], in the codes' type, of torch's operators alone."""
    codes = codes - centre
    offset = codes.square().sum(1).mul_(-0.5) if by_distance else torch.zeros_like(codes[:, 0])  # [K]
    origin = centre if by_distance else torch.zeros_like(centre)
    programmed = is_compiling() or is_exporting() or is_tracing()
    if fused() and rows.is_cuda and codes.dtype == torch.float32 and not programmed:
        from ganvas.functional import fused_search

        return fused_search.best_code(rows, codes, offset, origin)
    if is_exporting() or is_tracing():
        chunks: Sequence[Tensor] = (rows,)
    else:
        scores = _CPU_SCORES if rows.device.type == "cpu" else _ACCELERATOR_SCORES
        chunks = rows.split(max(scores // len(codes), 1))
    return torch.cat(
        [torch.addmm(offset, part.to(codes.dtype) - origin, codes.T).argmax(1) for part in chunks]
    )


def _median(codes: Tensor) -> Tensor:
    """[D]: of each dimension of some evenly spaced codes, and so one of its values."""
    some = codes[:: -(-len(codes) // _CENTRE_SAMPLE)]
    return some.sort(0).values[len(some) // 2]  # torch.median is not deterministic on an accelerator


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Float32 products as such: what a run may allow, TensorFloat-32 or bfloat16, keeps 10 bits or 8."""
    if device.type == "cpu" and is_compiling():
        yield
        return
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # of a program that has set precisions backend by backend
        if device.type != "cpu":
            raise
        before = "highest"
    if before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

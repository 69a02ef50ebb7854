"""The best code of each vector, on the CPU: blocks of vectors by blocks of codes, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Bytes of a block of scores, of codes and of vectors. The scores stay in the cache between the product and
# the maximum; all of them together, twice where rows are searched again, stay below 8 MiB.
_SCORES, _OPERAND = 2**20, 2**20
_FLOAT64_SHARE = 4  # smaller blocks: a search in float64 takes place within one in float32
_MOST_CODES = 2048  # a block; more leave few rows a block, and the product becomes slow
_FEW_SCORES = 2**14  # a block; fewer are not worth oneDNN's 15 microseconds
# A squared distance below this share of the vector's squared length is looked at again: above, rounding of
# float32 (2^-24 of the length, some roundings) stays below a thousandth of it.
_DOUBTFUL = 2.0**-10
_ROUNDING = 2.0**-18  # of a score, as a share of that length: some roundings of sums of up to 4,096 products

Array = Any  # numpy's; this room needs torch alone
_Block = tuple[int, Tensor, Tensor | None]  # number of its first code; codes, centred; offsets


def search(rows: Tensor, codebook: Tensor, centre: Tensor, *, by_distance: bool, doubts: bool) -> Tensor:
    """Indices of the best codes, the first of equal ones.

    Args:
        rows: z, [N, D].
        codebook: e, [K, D].
        centre: c, [D], of the type to compute in; subtracted from the codes, and for distances from the rows.
        by_distance: the score is (z-c).(e-c) - |e-c|^2/2; otherwise z.(e-c).
        doubts: search in float64 those rows that lie much nearer to their code than to the centre, and have
            another code about as near.

    Returns:
        int64 [N].
    """
    bytes_each = centre.itemsize * (1 if centre.dtype == torch.float32 else _FLOAT64_SHARE)
    most = max(_OPERAND // (bytes_each * rows.shape[1]), 1)  # vectors, or codes, of a block
    size = min(len(codebook), most, _MOST_CODES)
    chunk = min(max(_SCORES // (bytes_each * size), 1), most)
    blocks = _blocks(codebook, centre, size, by_distance)
    only = [next(blocks)] if size == len(codebook) else None  # made once, and not for each part
    index = torch.empty(len(rows), dtype=torch.int64)
    step = most // chunk * chunk
    z = centre.new_empty(min(step, len(rows)), rows.shape[1])  # one buffer for all parts
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        found = index[start : start + step]
        z = z[: len(part)]
        torch.sub(part, centre if by_distance else 0, out=z)
        again = _Search(z, found, chunk, doubts).over(only or _blocks(codebook, centre, size, by_distance))
        if again is not None:
            wide = centre.double()
            found[again] = search(part[again], codebook, wide, by_distance=by_distance, doubts=False)
    return index


def _blocks(codebook: Tensor, centre: Tensor, size: int, by_distance: bool) -> Iterator[_Block]:
    buffer = centre.new_empty(size, len(centre))
    for start in range(0, len(codebook), size):
        part = codebook[start : start + size]
        codes = torch.sub(part, centre, out=buffer[: len(part)])
        offset = torch.linalg.vector_norm(codes, dim=1).square_().mul_(-0.5) if by_distance else None
        yield start, codes, offset


class _Search:
    """Of some rows z [n, D], whose best codes are written to ``index`` [n]."""

    def __init__(self, z: Tensor, index: Tensor, chunk: int, doubts: bool) -> None:
        self.z, self.chunk = z, chunk
        self.index = index.numpy()
        self.best = z.new_empty(len(z)).numpy()
        self.number = torch.arange(chunk).numpy()
        self.rivals: Array = None
        if doubts:  # a score is (|z|^2 - |z - e|^2) / 2
            length = torch.linalg.vector_norm(z, dim=1).square_()
            self.limit = length.mul((1 - _DOUBTFUL) / 2).numpy()
            self.near = length.mul((1 - _DOUBTFUL) / 2 - _ROUNDING).numpy()
            self.slack = length.mul_(_ROUNDING)
            self.rivals = torch.zeros(len(z), dtype=torch.int64).numpy()

    def over(self, blocks: Iterator[_Block] | list[_Block]) -> Tensor | None:
        """Searches these codes; numbers of the rows in doubt, int64, or None."""
        for block in blocks:
            for start in range(0, len(self.z), self.chunk):
                self._chunk(start, *block)
        if self.rivals is None:
            return None
        again = torch.from_numpy((self.best > self.limit) & (self.rivals > 1)).nonzero().squeeze(1)
        return again if len(again) else None

    def _chunk(self, start: int, first_code: int, codes: Tensor, offset: Tensor | None) -> None:
        rows = slice(start, start + self.chunk)
        scores = _scores(self.z[rows], codes, offset).numpy()  # [n, K]
        choice = scores.argmax(1)  # several times as fast as torch's, and equal
        score = scores.reshape(-1).take(choice + self.number[: len(choice)] * len(codes))
        best = self.best[rows]
        if first_code == 0:
            self.index[rows], best[:] = choice, score
        else:
            better = score > best  # not where equal: the first stays
            self.index[rows][better] = choice[better] + first_code
            best[better] = score[better]
        if self.rivals is None:
            return
        close = best > self.near[rows]
        if close.any():  # most often not
            least = (torch.from_numpy(best) - self.slack[rows]).numpy()  # numpy would warn of inf - inf
            numbers = (close & (score >= least)).nonzero()[0]
            self.rivals[rows][numbers] += (scores[numbers] >= least[numbers, None]).sum(1)


def _scores(z: Tensor, codes: Tensor, offset: Tensor | None) -> Tensor:
    """z codes^T + offset, [n, K]."""
    mkldnn = torch.backends.mkldnn
    if z.dtype == torch.float32 and len(z) * len(codes) >= _FEW_SCORES and mkldnn.is_available():
        # oneDNN uses all of a processor's vector instructions; MKL, which is behind addmm, of Intel's alone
        scores: Tensor = torch.ops.mkldnn._linear_pointwise(z, codes, offset, "none", [], "")
        return scores
    return z @ codes.T if offset is None else torch.addmm(offset, z, codes.T)

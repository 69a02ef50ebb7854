"""The Frechet distance from moments, against torchmetrics' own computation of it.

    OMP_NUM_THREADS=1 python benchmarks/frechet.py
    OMP_NUM_THREADS=1 python benchmarks/frechet.py --rounds 3 --sizes 2048

Both get the same two means and covariances in float64, and take turns in one process. Covariances are those
of normal vectors: of four times as many as there are features (full rank), and of half as many (deficient).
The ratio is torchmetrics' cpu time over ours, its median over the rounds, and in brackets the quartiles. The
differences are relative: to torchmetrics, to scipy's matrix square root (--scipy), and of both to the
singular values of the samples themselves, where no root of a tiny eigenvalue is taken.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg
import torch
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from ganvas.functional.frechet import frechet_distance

Moments = tuple[Tensor, Tensor]


def timed(call: Callable[[], Tensor]) -> tuple[float, float]:
    began = time.process_time()
    value = call().item()
    return value, time.process_time() - began


def rows(seed: int, count: int, size: int, scale: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = scale * torch.arange(1, size + 1, dtype=torch.float64) ** -0.5
    return torch.randn(count, size, generator=generator, dtype=torch.float64) * spread + 0.01 * seed


def moments(x: Tensor) -> Moments:
    return x.mean(0), torch.cov(x.T)


def of_samples(x: Tensor, y: Tensor) -> float:
    """From the singular values of the product of both sides' centred samples."""
    (mean_1, root_1), (mean_2, root_2) = (
        (side.mean(0), (side - side.mean(0)) / (len(side) - 1) ** 0.5) for side in (x, y)
    )
    if len(x) > x.shape[1]:  # the triangular factors have the same products, and are smaller
        root_1, root_2 = (torch.linalg.qr(root, mode="r").R for root in (root_1, root_2))
    traces = root_1.square().sum() + root_2.square().sum()
    return (
        (mean_1 - mean_2).square().sum() + traces - 2 * torch.linalg.svdvals(root_1 @ root_2.T).sum()
    ).item()


def by_scipy(first: Moments, second: Moments) -> float:
    (mean_1, cov_1), (mean_2, cov_2) = (tuple(value.numpy() for value in side) for side in (first, second))
    root = scipy.linalg.sqrtm(cov_1 @ cov_2)
    return float(np.square(mean_1 - mean_2).sum() + np.trace(cov_1 + cov_2 - 2 * np.real(root)))


def compare(size: int, count: int, rounds: int, scipy_too: bool) -> None:
    x, y = rows(0, count, size, 1.0), rows(1, count, size, 1.2)
    (mean_1, cov_1), (mean_2, cov_2) = first, second = moments(x), moments(y)

    def ours() -> Tensor:
        return frechet_distance(mean_1=mean_1, covariance_1=cov_1, mean_2=mean_2, covariance_2=cov_2)

    def theirs() -> Tensor:
        return _compute_fid(mean_1, cov_1, mean_2, cov_2)

    blocks = [(timed(ours), timed(theirs)) for _ in range(rounds + 1)][1:]  # the first warms up
    (value, _), (peer, _) = blocks[0]
    own, other = ([block[side][1] for block in blocks] for side in (0, 1))
    low, middle, high = statistics.quantiles([b / a for a, b in zip(own, other)], n=4)
    truth = of_samples(x, y)
    print(
        f"  {size:5} features, {count:5} samples: {middle:.2f} [{low:.2f}, {high:.2f}]"
        f"  ours {statistics.median(own):.3f} s, theirs {statistics.median(other):.3f} s\n"
        f"    difference {abs(value / peer - 1):.0e}; of the truth ours {abs(value / truth - 1):.0e}, "
        f"theirs {abs(peer / truth - 1):.0e}",
        flush=True,
    )
    if scipy_too:
        print(f"    scipy's matrix root: {abs(value / by_scipy(first, second) - 1):.0e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="at least 2")
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 2048], help="numbers of features")
    parser.add_argument("--scipy", action="store_true", help="compare with scipy's matrix square root too")
    arguments = parser.parse_args()
    print("cpu time of torchmetrics over ours")
    for size in arguments.sizes:
        for count in (4 * size, size // 2):
            compare(size, count, arguments.rounds, arguments.scipy)


if __name__ == "__main__":
    main()

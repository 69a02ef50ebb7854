"""Priors: a code after those before it, with what is kept of them, against a forward pass over all codes.

    OMP_NUM_THREADS=1 python benchmarks/prior_cache.py
    OMP_NUM_THREADS=1 python benchmarks/prior_cache.py --side 32 --codes 1024 --batches 1

Each prior of conf/model/prior at its own sizes, untrained, on one thread of the CPU, in float32. Sequences
are written from the first code to the last; eight forward passes lie among them, so that both sides have the
same neighbours. A line gives the median time of each, and their ratio: so many times as long would writing
take without what is kept.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import yaml

from ganvas.files.folders import packaged_conf
from ganvas.functional.code_layout import CodeLayout
from ganvas.model.prior.interface import Prior
from ganvas.run.config.build import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=16, help="positions in a row, and rows (default: 16)")
    parser.add_argument("--codes", type=int, default=512, help="of the one level (default: 512)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="sequences (default: 1 16)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    layout = CodeLayout(((options.codes,),), ((options.side, options.side),))
    for path in sorted((packaged_conf() / "model/prior").glob("*.yaml")):
        torch.manual_seed(0)
        make = build(yaml.safe_load(path.read_text()), "model.prior")
        prior = make(layout=layout, num_classes=10).eval()
        for batch in options.batches:
            whole, single = measured(prior, batch)
            print(
                f"{path.stem}, {layout.length} codes, batch {batch}: forward {1e3 * whole:.1f} ms, "
                f"one code {1e3 * single:.2f} ms, ratio {whole / single:.1f}"
            )


@torch.no_grad()
def measured(prior: Prior, batch: int) -> tuple[float, float]:
    """Median seconds of a forward pass, and of one code."""
    length = prior.layout.length
    codes = torch.randint(prior.layout.vocabulary, (batch, length))
    whole, single, state, previous = [], [], prior.begin(batch), None
    for place in range(length):
        single.append(seconds(lambda previous=previous: prior.following(state, previous)))
        previous = codes[:, place]
        if place % max(length // 8, 1) == 0:
            whole.append(seconds(lambda: prior(codes)))
    return statistics.median(whole), statistics.median(single)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

"""Quantizers against vector-quantize-pytorch: time and memory of a training step on one thread of the CPU.

    OMP_NUM_THREADS=1 python benchmarks/quantizers.py
    OMP_NUM_THREADS=1 python benchmarks/quantizers.py --only search --rounds 15

The other side comes with the extra ganvas[dev]; without it ours is timed alone.

A step is forward, backward (of a given gradient and of the loss) and the update of the codes, of N vectors of
D dimensions, both sides in float32 from the same codes and in turns in one process; the other side without
its rotation trick, ours with its restart of dead codes. The ratio is the other side's cpu time over ours: its
median over the rounds, and the quartiles. Memory is the step's peak beyond modules, inputs and gradients that
are there before it, each in a process of its own (Linux).

    search   nearest_code alone: its floating-point operations, 2 N D K, a second, as a share of those of
             torch's own float32 product of 2048 x 2048 matrices, and of oneDNN's, which on a processor that
             is not Intel's can be twice as fast; in turns
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganvas.functional.nearest import nearest_code
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.lfq import LFQ
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

SIDE = 2048  # of the matrices whose product gives the peak
Step = Callable[[], object]


class Case(NamedTuple):
    """Two modules for the same vectors. The other's is None where its package is not there."""

    rows: int  # N
    size: int  # D
    goal: float  # at least, of the ratio
    ours: Callable[[], nn.Module]
    other: Callable[[Any], nn.Module]  # of the package vector_quantize_pytorch


def codebook(num_codes: int, size: int) -> Tensor:
    return torch.randn(num_codes, size, generator=torch.Generator().manual_seed(1))


def moving_average(rows: int, size: int, num_codes: int, goal: float) -> Case:
    def ours() -> nn.Module:
        quantizer = EMAVectorQuantizer(num_codes, size)
        quantizer.set_codes(codebook(num_codes, size))
        return quantizer

    def other(package: Any) -> nn.Module:
        quantizer = package.VectorQuantize(
            dim=size, codebook_size=num_codes, decay=0.99, commitment_weight=0.25, rotation_trick=False
        )
        for name in ("embed", "embed_avg"):
            getattr(quantizer._codebook, name).data.copy_(codebook(num_codes, size))
        return quantizer

    return Case(rows, size, goal, ours, other)


def scalar(rows: int, levels: list[int], goal: float) -> Case:
    def ours() -> nn.Module:
        return FSQ(levels, len(levels))

    return Case(rows, len(levels), goal, ours, lambda package: package.FSQ(levels=levels))


def signs(rows: int, bits: int, goal: float) -> Case:
    def other(package: Any) -> nn.Module:
        return package.LFQ(codebook_size=2**bits, dim=bits, entropy_loss_weight=0.1, diversity_gamma=1.0)

    return Case(rows, bits, goal, lambda: LFQ(bits, entropy_cost=0.1), other)


def sums(rows: int, size: int, num_codes: int, levels: int, goal: float) -> Case:
    def ours() -> nn.Module:
        quantizer = ResidualQuantizer(lambda: EMAVectorQuantizer(num_codes, size), levels)
        for one in quantizer.inners:
            one.set_codes(codebook(num_codes, size))
        return quantizer

    def other(package: Any) -> nn.Module:
        quantizer = package.ResidualVQ(
            dim=size, codebook_size=num_codes, num_quantizers=levels, decay=0.99, rotation_trick=False
        )
        for layer in quantizer.layers:
            for name in ("embed", "embed_avg"):
                getattr(layer._codebook, name).data.copy_(codebook(num_codes, size))
        return quantizer

    return Case(rows, size, goal, ours, other)


# Another quantizer is a line here.
CASES: dict[str, Case] = {
    "vq_ema N=65536 D=64 K=1024": moving_average(65_536, 64, 1024, goal=16),
    "vq_ema N=65536 D=64 K=512": moving_average(65_536, 64, 512, goal=14),
    "vq_ema N=16384 D=256 K=1024": moving_average(16_384, 256, 1024, goal=6),
    "vq_ema N=16384 D=8 K=256": moving_average(16_384, 8, 256, goal=8),
    "fsq N=65536 levels=8,5,5,5": scalar(65_536, [8, 5, 5, 5], goal=3),
    "lfq N=16384 10 bits": signs(16_384, 10, goal=3),
    "residual N=16384 D=64 K=1024, 8 levels": sums(16_384, 64, 1024, 8, goal=3),
}
SEARCHES = [  # N, D, K
    (65_536, 64, 1024),
    (65_536, 64, 512),
    (16_384, 256, 1024),
    (8_192, 512, 1024),
    (16_384, 8, 256),
    (4_096, 8, 16_384),
    (1_024, 64, 262_144),
]


def other_package() -> Any:
    with contextlib.suppress(ImportError):
        return importlib.import_module("vector_quantize_pytorch")
    return None


def step_of(module: nn.Module, case: Case, ours: bool) -> Step:
    """One training step of vectors that both sides get as they like them best: rows, one after another."""
    generator = torch.Generator().manual_seed(0)
    shape = (case.rows, case.size) if ours else (1, case.rows, case.size)
    latents = torch.randn(shape, generator=generator).requires_grad_()
    slope = torch.randn(shape, generator=generator)
    latents.grad = torch.zeros(shape)
    module.train()

    def step() -> None:
        output = module(latents)
        quantized = output.quantized if ours else output[0]
        loss = output.loss if ours else (output[2].sum() if len(output) > 2 else None)
        if loss is None or not loss.requires_grad:
            quantized.backward(slope)
        else:
            torch.autograd.backward([quantized, loss], [slope, torch.ones_like(loss)])

    return step


def seconds(step: Step) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def in_turns(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 2):
        for name in list(steps)[:: -1 if number % 2 else 1]:
            spent = seconds(steps[name])
            if number >= 2:  # the first two warm up
                times[name].append(spent)
    return times


def spread(values: Iterable[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:6.2f} [{low:.2f}, {high:.2f}]"


def compare(name: str, case: Case, rounds: int) -> None:
    package = other_package()
    steps = {"ours": step_of(case.ours(), case, ours=True)}
    if package is not None:
        steps["other"] = step_of(case.other(package), case, ours=False)
    times = in_turns(steps, rounds)
    words = [f"{name:28}"]
    if package is not None:
        ratio = [b / a for a, b in zip(times["ours"], times["other"])]
        told = "reached" if statistics.median(ratio) >= case.goal else "MISSED"
        words.append(f"ratio {spread(ratio)}, goal {case.goal:g} {told};")
    for side, spent in times.items():
        words.append(f"{side} {statistics.median(spent) * 1e3:.1f} ms, {memory(name, side)};")
    print(" ".join(words).rstrip(";"), flush=True)


def product(fast: bool) -> Step | None:
    matrix = torch.randn(SIDE, SIDE)
    if not fast:
        return lambda: torch.mm(matrix, matrix)
    with contextlib.suppress(AttributeError, RuntimeError):
        call = torch.ops.mkldnn._linear_pointwise
        call(matrix, matrix, None, "none", [], "")
        return lambda: call(matrix, matrix, None, "none", [], "")
    return None


def search(rows: int, size: int, num_codes: int, rounds: int) -> None:
    vectors = torch.randn(rows, size, generator=torch.Generator().manual_seed(0))
    codes = codebook(num_codes, size)
    steps: dict[str, Step] = {"search": lambda: nearest_code(vectors, codes)}
    for name, fast in (("torch.mm", False), ("oneDNN", True)):
        peak = product(fast)
        if peak is not None:
            steps[name] = peak
    times = in_turns(steps, rounds)
    speed = [2e-9 * rows * size * num_codes / spent for spent in times["search"]]
    name = f"search N={rows} D={size} K={num_codes}"
    words = [f"{name:32} {statistics.median(speed):6.1f} GFLOP/s;"]
    for peak_name in list(steps)[1:]:
        share = [one * spent / (2e-9 * SIDE**3) for one, spent in zip(speed, times[peak_name])]
        words.append(f"of {peak_name}'s {spread(share)};")
    print(" ".join(words), memory(name, "search"), flush=True)


def memory(name: str, side: str) -> str:
    """The peak of one step in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory-of", name, side], stdout=subprocess.PIPE, text=True, check=False
    )
    return f"{float(done.stdout):.0f} MiB" if done.returncode == 0 else "memory not measured"


def print_memory(name: str, side: str) -> None:
    if side == "search":
        rows, size, num_codes = (int(number) for number in re.findall(r"=(\d+)", name))
        vectors, codes = torch.randn(rows, size), torch.randn(num_codes, size)
        # what a first call loads and makes for itself does not count, so a small one comes before
        nearest_code(vectors[:512], codes[:256])
        step: Step = lambda: nearest_code(vectors, codes)  # noqa: E731
    else:
        case = CASES[name]
        module = case.ours() if side == "ours" else case.other(other_package())
        small = case._replace(rows=512)
        step_of(module, small, side == "ours")()
        step = step_of(module, case, side == "ours")
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is held now
    step()
    print((resident("VmHWM") - before) / 1024)


def resident(kind: str) -> int:
    """KiB that this process holds now, or held at most."""
    found = re.search(rf"{kind}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found.group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description="Quantizers against vector-quantize-pytorch.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory_of:
        print_memory(*arguments.memory_of)
        return
    version = "not there (the extra ganvas[dev] brings it)"
    if other_package() is not None:
        version = importlib.metadata.version("vector-quantize-pytorch")
    print(
        f"torch {torch.__version__}, one thread, load average {os.getloadavg()[0]:.1f}; "
        f"vector-quantize-pytorch: {version}"
    )
    for rows, size, num_codes in SEARCHES:
        if "search".startswith(arguments.only):
            search(rows, size, num_codes, arguments.rounds)
    for name, case in CASES.items():
        if name.startswith(arguments.only):
            compare(name, case, arguments.rounds)


if __name__ == "__main__":
    main()

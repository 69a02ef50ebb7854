"""Examples a second and share of the card's peak; the search of nearest codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.flop_counter import FlopCounterMode

from ganvas.functional import fused_search
from ganvas.functional.nearest import nearest_code, set_fused
from runs import Bench, train

# Dense peaks in TFLOP/s, without sparsity, as NVIDIA's data sheets state them: float32 outside tensor cores,
# TF32 and BF16 on tensor cores. (H100: "NVIDIA H100 Tensor Core GPU", its TF32 and BF16 columns halved, which
# are with sparsity; H200 likewise; A100: "NVIDIA A100 Tensor Core GPU".) The first name that is found counts.
PEAKS: tuple[tuple[str, dict[str, float]], ...] = (
    ("H100 PCIe", {"float32": 51.0, "tf32": 378.0, "bf16": 756.5}),
    ("H100 NVL", {"float32": 60.0, "tf32": 417.5, "bf16": 835.5}),
    ("H100", {"float32": 67.0, "tf32": 494.5, "bf16": 989.5}),
    ("H200", {"float32": 67.0, "tf32": 494.5, "bf16": 989.5}),
    ("A100", {"float32": 19.5, "tf32": 156.0, "bf16": 312.0}),
)
# Name: the words, whether cuDNN may use TF32 (torch's default), the peak that the row is held against.
ROWS: dict[str, tuple[list[str], bool, str]] = {
    "float32": (["accelerator.matmul_precision=highest"], False, "float32"),
    "float32, convolutions in TF32": (["accelerator.matmul_precision=highest"], True, "tf32"),
    "TF32": (["accelerator.matmul_precision=high"], True, "tf32"),
    "bf16-mixed": (["accelerator.precision=bf16-mixed"], True, "bf16"),
}
WARM_UP, PROFILED = 8, 3


class Clock(pl.Callback):
    """FLOPs of one step, seconds of ``timed`` steps after it, and how long the device was busy in some more.

    FLOPs are those of convolutions and matrix products, forward and backward. The host waits for the device
    at the beginning and at the end of the timed steps alone.
    """

    def __init__(self, timed: int, on_gpu: bool) -> None:
        self.timed, self.on_gpu = timed, on_gpu
        self.steps = WARM_UP + timed + (PROFILED if on_gpu else 0)
        self.flops = 0
        self.seconds = 0.0
        self.busy_ms: float | None = None
        self._batches = 0
        self._counter: FlopCounterMode | None = None
        self._profile: Any = None

    def on_train_batch_start(self, *_: Any) -> None:
        if self._batches == 2:
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()
        if self._batches == WARM_UP + self.timed and self.on_gpu:
            kinds = [torch.profiler.ProfilerActivity.CUDA]
            self._profile = torch.profiler.profile(activities=kinds)
            self._profile.__enter__()

    def on_train_batch_end(self, *_: Any) -> None:
        if self._counter is not None:
            self._counter.__exit__(None, None, None)
            self.flops, self._counter = self._counter.get_total_flops(), None
        self._batches += 1
        if self._batches == WARM_UP:
            self._wait()
            self._began = time.perf_counter()
        if self._batches == WARM_UP + self.timed:
            self._wait()
            self.seconds = time.perf_counter() - self._began
        if self._batches == self.steps and self._profile is not None:
            self._wait()
            self._profile.__exit__(None, None, None)
            total = sum(event.self_device_time_total for event in self._profile.key_averages())
            self.busy_ms = total / 1e3 / PROFILED

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()


def check_throughput(bench: Bench) -> dict[str, Any]:
    """Rows of precision and layout for each recipe: examples a second, FLOPs, share of the peak."""
    card = torch.cuda.get_device_name() if bench.on_gpu else None
    peaks = next((peaks for name, peaks in PEAKS if card and name in card), None)
    result: dict[str, Any] = {
        "card": card,
        "peaks_tflops": peaks,
        "batch": bench.batch_size,
        "side": bench.side,
    }
    rows = list(ROWS)[-1:] if bench.small else list(ROWS)
    for name in ("dcgan", "vqvae"):
        for row in rows:
            for channels_last in (False, True):
                key = f"{name}, {row}{', channels_last' if channels_last else ''}"
                work = partial(_row, bench, name, row, channels_last, peaks)
                result[key] = bench.attempt(key, work)
    return result


def _row(
    bench: Bench, name: str, row: str, channels_last: bool, peaks: dict[str, float] | None
) -> dict[str, Any]:
    words, tf32, peak = ROWS[row]
    torch.backends.cudnn.allow_tf32 = tf32
    if bench.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(2 if bench.small else 60, bench.on_gpu)
    more = [*words, f"accelerator.channels_last={str(channels_last).lower()}", "accelerator.benchmark=true"]
    train(bench.words(name, *more), bench.folder / "speed", steps=clock.steps, callbacks=[clock])
    step = clock.seconds / clock.timed
    tflops = clock.flops / step / 1e12
    bench.expect(clock.flops > 0, f"{name}, {row}: no FLOPs were counted")
    return {
        "examples_per_s": round(bench.batch_size / step, 1),
        "step_ms": round(1e3 * step, 3),
        "device_busy_ms": clock.busy_ms and round(clock.busy_ms, 3),
        "gflop_per_step": round(clock.flops / 1e9, 2),
        "tflops": round(tflops, 3),
        "peak": peak,
        "share_of_peak": round(tflops / peaks[peak], 4) if peaks else None,
        "share_of_peak_while_busy": (
            round(clock.flops / clock.busy_ms / 1e9 / peaks[peak], 4) if peaks and clock.busy_ms else None
        ),
        "memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3) if bench.on_gpu else None,
    }


def check_search(bench: Bench) -> dict[str, Any]:
    """Milliseconds and peak memory (beyond the arguments) of the nearest of K codes to N rows."""
    count, codes, width = (4096, 512, 64) if bench.small else (2**20, 8192, 64)
    generator = torch.Generator(bench.device).manual_seed(0)
    rows = torch.randn(count, width, device=bench.device, generator=generator)
    codebook = torch.randn(codes, width, device=bench.device, generator=generator)
    result: dict[str, Any] = {"N": count, "K": codes, "D": width}
    found: dict[str, Any] = {}
    for precision in ("highest", "high") if bench.on_gpu else ("highest",):
        torch.set_float32_matmul_precision(precision)
        for name, search in (("nearest_code", nearest_code), ("cdist+argmin", _by_cdist)):
            key = f"{name}, matmul_precision={precision}"
            found[key], result[key] = _timed(bench, search, rows, codebook)
    if bench.on_gpu and fused_search.is_there():
        key = "nearest_code, fused"
        set_fused(True)
        try:
            found[key], result[key] = _timed(bench, nearest_code, rows, codebook)
        finally:
            set_fused(False)
    reference = found["nearest_code, matmul_precision=highest"]
    for key, indices in found.items():
        if indices is None:
            continue
        equal = (indices == reference).double().mean().item()
        result[key]["equal_to_nearest_code"] = equal
        if "nearest_code" in key or "highest" in key:
            bench.expect(equal > 0.9999, f"{key}: {equal:.6f} of the codes are nearest_code's at highest")
    return result


def _by_cdist(rows: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    return torch.cdist(rows, codebook).argmin(1)


def _timed(
    bench: Bench, search: Callable[..., torch.Tensor], rows: torch.Tensor, codebook: torch.Tensor
) -> tuple[torch.Tensor | None, dict[str, Any]]:
    """The least of three times after one that warms up; a search that needs too much memory is noted."""
    before = torch.cuda.memory_allocated() if bench.on_gpu else 0
    if bench.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    indices = None
    try:
        for _ in range(4):
            indices = None
            bench.synchronize()
            began = time.perf_counter()
            indices = search(rows, codebook)
            bench.synchronize()
            seconds.append(time.perf_counter() - began)
    except torch.OutOfMemoryError as error:
        return None, {"out_of_memory": str(error).splitlines()[0]}
    peak = torch.cuda.max_memory_allocated() - before if bench.on_gpu else None
    return indices, {"ms": round(1e3 * min(seconds[1:]), 3), "peak_gb": peak and round(peak / 1e9, 3)}

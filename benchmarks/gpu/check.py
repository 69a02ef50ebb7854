"""What a GPU does with every part and recipe, in one script of a few minutes that writes one JSON.

    python benchmarks/gpu/check.py --out gpu.json                           # the whole check
    python benchmarks/gpu/check.py --out gpu.json --sections parts,resume   # some of it
    python benchmarks/gpu/check.py --out cpu.json --device cpu --small      # the same code, small, on a CPU

It needs torch >= 2.8, pytorch-lightning, torchmetrics, scikit-learn and pillow, no network and no file; on a
machine without an installed ganvas: PYTHONPATH=src, and what else is missing from `make gpu-wheels`.

    parts            every part that conf/model has, and every metric that needs no file: forward and backward
                     on the device, against the CPU
    synchronization  places where a training step makes the host wait for the device
    resume           six batches in one go against three, a checkpoint, and three more: the same bits
    precision        bf16-mixed and 16-mixed against float32; clipping acts on unscaled gradients
    compile          torch.compile of the networks: the same losses; time of the first and the later steps
    throughput       examples a second and share of the card's peak, DCGAN and VQ-VAE
    search           the nearest of K codes against torch.cdist and argmin
    collectives      NCCL and sharded networks, in a world of one device

A section that fails is recorded with what did not hold, or with its traceback, and the others go on; the exit
code is then 1. The JSON is written anew after every section, so that a run that is cut off leaves the others.
"""

from __future__ import annotations

import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic cuBLAS; read at its first use

import argparse
import gc
import json
import logging
import platform
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import collectives
import parts
import pytorch_lightning
import recipes
import speed
import synchronization
import torch
import torchmetrics

from runs import Bench

SECTIONS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "parts": parts.check,
    "synchronization": synchronization.check,
    "resume": recipes.check_resume,
    "precision": recipes.check_precision,
    "search": speed.check_search,
    "throughput": speed.check_throughput,
    "collectives": collectives.check,
    "compile": recipes.check_compile,  # the longest: last
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the JSON to write")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny networks and few steps")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="some of: " + ",".join(SECTIONS))
    parser.add_argument("--seconds", type=float, default=360, help="sections that begin later are left out")
    arguments = parser.parse_args()
    names = arguments.sections.split(",")
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device; --device cpu --small runs the same code on a CPU")
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torchmetrics")

    began = time.monotonic()
    found: dict[str, Any] = {"machine": machine(arguments.device), "small": arguments.small, "sections": {}}
    with tempfile.TemporaryDirectory(prefix="ganvas-gpu-") as folder:
        bench = Bench(arguments.device, arguments.small, Path(folder))
        for name in names:
            if time.monotonic() - began > arguments.seconds:
                found["sections"][name] = {"ok": False, "seconds": 0.0, "failures": ["no time was left"]}
            else:
                found["sections"][name] = run_section(bench, SECTIONS[name])
            found["seconds"] = round(time.monotonic() - began, 1)
            found["ok"] = all(section["ok"] for section in found["sections"].values())
            found["finished"] = name == names[-1]
            arguments.out.write_text(json.dumps(found, indent=1) + "\n")
            print(headline(name, found["sections"][name]), flush=True)
    print(f"{arguments.out}: {'all held' if found['ok'] else 'FAILED'}, {found['seconds']} s")
    return 0 if found["ok"] else 1


def run_section(bench: Bench, section: Callable[[Bench], dict[str, Any]]) -> dict[str, Any]:
    """What a section found; what it changed of torch's global switches is set back."""
    bench.failures.clear()
    result: dict[str, Any] = {}
    error = None
    began = time.monotonic()
    try:
        result = section(bench)
        bench.synchronize()
    except Exception:
        error = traceback.format_exc()
    restore_switches()
    gc.collect()
    if bench.on_gpu:
        torch.cuda.empty_cache()
    return {
        "ok": error is None and not bench.failures,
        "seconds": round(time.monotonic() - began, 2),
        "failures": list(bench.failures),
        "error": error,
        "results": result,
    }


def restore_switches() -> None:
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("default")


def machine(device: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "device": device,
        "card": torch.cuda.get_device_name() if device == "cuda" else None,
        "driver": driver() if device == "cuda" else None,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "torch": torch.__version__,
        "lightning": pytorch_lightning.__version__,
        "torchmetrics": torchmetrics.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    if device == "cuda":
        facts["memory_gib"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
    return facts


def driver() -> str | None:
    """The driver's version, None where nvidia-smi does not say."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.split()[0] if said.split() else None


def headline(name: str, section: dict[str, Any]) -> str:
    """The section in a line, and below it what did not hold."""
    lines = [f"{name:16} {'ok' if section['ok'] else 'FAILED':6} {section['seconds']:7.1f} s"]
    lines += [f"    {text}" for text in section["failures"]]
    if section.get("error"):
        lines.append(section["error"])
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

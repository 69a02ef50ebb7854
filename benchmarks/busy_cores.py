"""What two runs side by side cost each other, and what the bound on spinning costs an idle machine.

    python benchmarks/busy_cores.py                 # on as many cores as the process may use
    taskset -c 0,1 python benchmarks/busy_cores.py --threads 2

Each run is a whole process, `ganvas train` with a budget in examples, no logger and no previews. Its time
is from the end of the first batch to the end of training, so that start-up does not count. On an idle machine
the runs of one round follow each other:

    default   GNU OpenMP's own 300,000 rounds of spinning (GOMP_SPINCOUNT=300000)
    bounded   what `ganvas` sets itself
    one       one thread (accelerator.threads=1)

Then two bounded runs at once, and two default ones with --both. Goals: bounded at most 1.05 of default; each
of two at once at most 2 times as long as one alone. --sweep 1 2 4 8 times one run by its number of threads.
Medians over the rounds, quartiles of the rounds' own ratios in brackets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

RECIPES = {
    "MLP GAN": ["model=mlp_gan", "data=digits"],
    "MLP VQ-VAE": ["model=mlp_vqvae", "data=digits"],
    "DCGAN": ["model=dcgan", "data=digits"],
    "VQ-VAE": ["model=vqvae", "data=digits"],
}
EXAMPLES = {"MLP GAN": 200_000, "MLP VQ-VAE": 200_000, "DCGAN": 12_000, "VQ-VAE": 24_000}
_PLAIN = ["accelerator=cpu", "logger=none", "callback=none"]
SPIN: dict[str, dict[str, str]] = {"default": {"GOMP_SPINCOUNT": "300000"}, "bounded": {}, "one": {}}

# Prints the seconds between the end of the first batch and the end of training.
_WRAPPER = """
import sys, time
from importlib.abc import MetaPathFinder

class Finder(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "ganvas.run.train_run":
            return None
        sys.meta_path.remove(self)
        import pytorch_lightning as pl
        first = []
        fit = pl.Trainer.fit

        class Clock(pl.Callback):
            def on_train_batch_end(self, *_):
                first or first.append(time.perf_counter())
            def on_train_end(self, *_):
                print("SECONDS", time.perf_counter() - first[0], flush=True)

        def timed(self, *given, **named):
            self.callbacks.append(Clock())
            return fit(self, *given, **named)
        pl.Trainer.fit = timed
        return None

sys.meta_path.insert(0, Finder())
from ganvas.cli.main import entry
entry()
"""


def start(
    words: list[str], folder: str, threads: int | None, given: Mapping[str, str]
) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    own = [] if threads is None else [f"accelerator.threads={threads}"]
    return subprocess.Popen(
        [sys.executable, "-c", _WRAPPER, "train", *words, *own, *_PLAIN, f"paths.output_dir={folder}"],
        env=kept | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def seconds(process: subprocess.Popen[str]) -> float:
    text, _ = process.communicate()
    lines = [line for line in text.splitlines() if line.startswith("SECONDS ")]
    if process.returncode or not lines:
        raise SystemExit(text)
    return float(lines[0].split()[1])


def sweep(name: str, words: list[str], numbers: list[int], rounds: int) -> None:
    """One run on an idle machine with each number of threads, in turns."""
    times: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for threads in numbers:
                times.setdefault(threads, []).append(seconds(start(words, folder, threads, {})))
    print(
        name, {f"{one} threads": round(statistics.median(all_), 2) for one, all_ in times.items()}, flush=True
    )


def ratio(title: str, over: list[float], under: list[float], goal: float | None) -> None:
    each = [a / b for a, b in zip(over, under)]
    spread = statistics.quantiles(each, n=4) if len(each) > 1 else [each[0]] * 3
    told = "" if goal is None else f"  goal at most {goal}"
    print(f"  {title:32} {statistics.median(each):6.3f} [{spread[0]:.3f}, {spread[2]:.3f}]{told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Two runs on the same cores.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None, help="of a run; left out: as ganvas chooses")
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the budgets")
    parser.add_argument("--with", dest="more", nargs="*", default=[], help="more overrides of each run")
    parser.add_argument("--both", action="store_true", help="also two default runs at once")
    parser.add_argument(
        "--sweep", type=int, nargs="+", help="numbers of threads; times these and nothing else"
    )
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"python {sys.version.split()[0]}, {cores} cores, load average {os.getloadavg()[0]:.1f}")
    for name in arguments.recipes:
        budget = f"trainer.max_examples={int(EXAMPLES[name] * arguments.scale)}"
        words = [*RECIPES[name], budget, *arguments.more]
        if arguments.sweep:
            sweep(name, words, arguments.sweep, arguments.rounds)
            continue
        times: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                for kind, given in SPIN.items():
                    threads = 1 if kind == "one" else arguments.threads
                    one = seconds(start(words, folder, threads, given))
                    times.setdefault(kind, []).append(one)
                for kind in ("bounded", "default") if arguments.both else ("bounded",):
                    pair = [start(words, folder, arguments.threads, SPIN[kind]) for _ in range(2)]
                    times.setdefault(f"two {kind}", []).append(max(seconds(each) for each in pair))
        print(name, budget, {kind: round(statistics.median(all_), 2) for kind, all_ in times.items()})
        ratio("bounded : default, idle", times["bounded"], times["default"], 1.05)
        ratio("one thread : bounded, idle", times["one"], times["bounded"], None)
        ratio("each of two : one alone, bounded", times["two bounded"], times["bounded"], 2.0)
        if arguments.both:
            ratio("each of two : one alone, default", times["two default"], times["default"], None)


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s")

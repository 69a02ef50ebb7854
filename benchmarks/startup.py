"""Time from the shell to the first optimizer step of `ganvas train`, against the imports it cannot avoid.

    OMP_NUM_THREADS=1 python benchmarks/startup.py

What is measured: whole processes, CPU time (user and system, of the child) and wall time.

    train       `ganvas train` of the default experiment (a small GAN on digits, all default callbacks) up to
                the end of the first call of an optimizer's step, where a wrapper ends the process
    peer        python -c 'import torch, pytorch_lightning'
    imports     the same, ended at once as `train` is: taking the interpreter down takes a second of CPU time
    help        `ganvas --help` and `ganvas train --help`, which import neither

The processes take turns, so that they meet the same machine; the metrics are medians over the rounds, the
ratio is that of the medians, and the spread the quartiles of the rounds' own ratios. A first round, which
fills the system's file cache and writes the byte code, is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

GOAL = 1.3  # of the peer
HELP_GOAL = 0.7  # seconds of CPU

# Ends the process behind the first optimizer step; what runs before is the command's own code alone.
_WRAPPER = """
import os, sys
from importlib.abc import MetaPathFinder

class Finder(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "ganvas.run.train_run":
            return None
        sys.meta_path.remove(self)
        from torch.optim.optimizer import register_optimizer_step_post_hook
        register_optimizer_step_post_hook(lambda *_: os._exit(77))
        return None

sys.meta_path.insert(0, Finder())
from ganvas.cli.main import entry
entry()
"""

PROCESSES = {
    "peer": ["-c", "import torch, pytorch_lightning"],
    "imports": ["-c", "import torch, pytorch_lightning, os; os._exit(0)"],
    "train": ["-c", _WRAPPER, "train", "trainer.max_examples=null", "trainer.max_steps=1", "accelerator=cpu"],
    "help": ["-m", "ganvas", "--help"],
    "train help": ["-m", "ganvas", "train", "--help"],
}


def run(name: str, folder: str) -> tuple[float, float]:
    """Runs the process in ``folder``; returns its CPU and its wall time in seconds."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, *PROCESSES[name]], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == (77 if name == "train" else 0), (name, child.returncode)
    return used.ru_utime + used.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser(description="From the shell to the first optimizer step.")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(f"python {sys.version.split()[0]} load average {os.getloadavg()[0]:.1f}")
    rounds: list[dict[str, tuple[float, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds + 1):
            times = {name: run(name, folder) for name in PROCESSES}
            if number:
                rounds.append(times)
    for name in PROCESSES:
        cpu, wall = (statistics.median(times[name][kind] for times in rounds) for kind in (0, 1))
        print(f"{name:12} {cpu:6.2f} s cpu  {wall:6.2f} s wall", end="")
        print(f"  goal below {HELP_GOAL} s cpu" if "help" in name else "")
    for other in ("peer", "imports"):
        for kind, title in enumerate(("cpu", "wall")):
            mine, theirs = ([times[name][kind] for times in rounds] for name in ("train", other))
            low, _, high = statistics.quantiles([a / b for a, b in zip(mine, theirs)], n=4)
            ratio = statistics.median(mine) / statistics.median(theirs)
            print(
                f"train : {other:8} {title:4} {ratio:.3f} [{low:.3f}, {high:.3f}]"
                f"  {len(rounds)} rounds  goal at most {GOAL}"
            )


if __name__ == "__main__":
    main()

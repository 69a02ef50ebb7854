"""What a sweep costs over its runs, and how long the lists of large sweeps take.

    OMP_NUM_THREADS=1 python benchmarks/sweep_cost.py

Jobs: a sweep of JOBS tiny runs (10 batches of a small GAN on digits), one after the other, against as many
plain `ganvas train` of the same options. Both take turns, round by round, so that they meet the same machine;
CPU time is that of all child processes together (the sweep's own process among them), the ratio that of the
medians over the rounds, the spread the smallest and the largest of the rounds' own ratios. A first round is
not counted.

Lists: `ganvas sweep status`, `ls`, `best` and a `resume` with nothing left to do on a generated sweep of
10,000 jobs, all finished, and `ganvas runs ls` on 1,000 generated runs: whole processes, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.session import hydra_session
from ganvas.run.folder.run_folder import create
from ganvas.sweep.manifest import Draft, Manifest

SMOKE = ["trainer=smoke", "callback=minimal", "logger=none", "accelerator=cpu"]
JOBS = 4
GOAL_JOBS, GOAL_SWEEP, GOAL_RUNS = 1.1, 2.0, 1.0


def run(words: list[str], folder: str) -> tuple[float, float]:
    """Runs ``ganvas WORDS``; returns the CPU time of it and all that it starts, and the wall time."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "ganvas", *words], cwd=folder, check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - began


def jobs(rounds: int) -> None:
    """A sweep against plain runs."""
    cpu: dict[str, list[float]] = {"sweep": [], "plain": []}
    wall: dict[str, list[float]] = {"sweep": [], "plain": []}
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            parts = [run(["train", "-m", f"seed=range(1,{JOBS + 1})", *SMOKE], folder)]
            plain = [run(["train", f"seed={seed}", *SMOKE], folder) for seed in range(1, JOBS + 1)]
        if number:
            for name, made in (("sweep", parts), ("plain", plain)):
                cpu[name].append(sum(one[0] for one in made))
                wall[name].append(sum(one[1] for one in made))
    for what, seconds in (("CPU time", cpu), ("wall time", wall)):
        ratio = statistics.median(seconds["sweep"]) / statistics.median(seconds["plain"])
        each = [ours / theirs for ours, theirs in zip(seconds["sweep"], seconds["plain"], strict=True)]
        print(f"{JOBS} jobs, {what}: sweep over plain runs {ratio:.3f} [{min(each):.3f}, {max(each):.3f}], "
              f"{rounds} rounds; goal {GOAL_JOBS}")  # fmt: skip


def large_sweep(folder: Path, number: int) -> None:
    """A sweep of finished jobs that differ in their seeds."""
    with hydra_session(None) as hydra:
        base = Composer(hydra).compose(["optimized_metric=evaluation/fid"])
    sweep = Manifest(folder, {"sweep_overrides": [f"seed=range(0,{number})"], "shared": []})
    sweep.add([
        Draft(base.config | {"seed": n}, base.choices, base.origins, [f"seed={n}"], f"seed-{n}", n)
        for n in range(number)
    ])  # fmt: skip
    sweep.write()
    for job in sweep.jobs:
        best = {"metric": "evaluation/fid", "mode": "min", "value": 1.0 + job.index, "examples": 64}
        summary = {"examples_seen": 640, "seconds": 1.0, "metrics": {"fid": 2.0}, "optimized": best}
        record = {"attempts": [{"began": "x", "pid": 1, "host": "h", "code": 0}], "summary": summary}
        (folder / "jobs" / f"{job.index:03d}.json").write_text(json.dumps(record))


def many_runs(folder: Path, number: int) -> None:
    """Finished runs, as far as a list looks at them."""
    with hydra_session(None) as hydra:
        made = Composer(hydra).compose([])
    about = {"ganvas": {"choices": made.choices, "overrides": []}, "config": made.config}
    for index in range(number):
        run = create(folder / f"20260101-{index:06d}_mlp_gan-digits-s{index}-abcdef", about)
        run.write_status(state="finished", examples_seen=640, metrics={"fid": 2.0})


def lists(rounds: int) -> None:
    """The commands that look at much."""
    with tempfile.TemporaryDirectory() as place:
        large_sweep(Path(place, "outputs", "x", "20260101-000000_sweep-a"), 10_000)
        many_runs(Path(place, "runs", "train"), 1_000)
        commands = [["sweep", name] for name in ("status", "ls", "best", "resume")]
        commands.append(["runs", "ls", "--output-dir", "runs"])
        times: dict[str, list[tuple[float, float]]] = {}
        for number in range(rounds + 1):
            for words in commands:
                if number:
                    times.setdefault(" ".join(words), []).append(run(words, place))
        for name, found in times.items():
            cpu, wall = (statistics.median(one[kind] for one in found) for kind in (0, 1))
            goal = GOAL_RUNS if name.startswith("runs") else GOAL_SWEEP
            print(f"ganvas {name}: {wall:.2f} s (CPU {cpu:.2f} s), {rounds} rounds; goal {goal} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    lists(arguments.rounds)
    jobs(arguments.rounds)

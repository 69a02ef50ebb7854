"""What it costs that a run cannot be lost.

    OMP_NUM_THREADS=1 python benchmarks/protection.py
    OMP_NUM_THREADS=1 python benchmarks/protection.py --checkpoint FOLDER

Steps: a run as `ganvas train` makes it, against the same run with the protection taken out: no reseeding of
torch's generator and no counter-based latents (plain torch.randn), no check for numbers that are not finite
(nor the copies of buffers that it needs; the gradient norms stay), no callback that looks at signals, budgets
and checkpoints. Both runs take turns of a few steps in one process (see training_step.py, whose machinery
this is). The ratio is that of the medians over the blocks, the spread the quartiles of the blocks' ratios.

--checkpoint: a state of 200 MB written into a folder, against torch.save of the same there, in turns: ours
hashes, waits for the disk (fsync) and renames. A second peer waits for the disk too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganvas.model.training.recipe as recipe_module
from ganvas.callback.checkpoint import Checkpoint
from ganvas.run import train_run
from ganvas.run.checkpoint.io import DurableCheckpointIO
from ganvas.run.ending.stop_on_signal import StopOnSignal
from ganvas.run.status_writer import StatusWriter
from training_step import CASES, OtherRun, measure

GOALS = {"MLP GAN, 28 px, batch 128": 1.05, "DCGAN, 32 px, batch 64": 1.02}
_bare = threading.local()  # set in the thread of the run whose protection is taken out


class PlainDraws:
    """torch's own stream in place of draws by step and purpose."""

    def normal(self, purpose: str, *shape: int) -> Tensor:
        return torch.randn(shape)

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        return torch.rand(shape)


class BareStop(StopOnSignal):
    def on_train_batch_end(self, *_: Any) -> None: ...


class BareStatus(StatusWriter):
    def on_train_batch_end(self, *_: Any) -> None: ...


class BareRun(OtherRun):
    """The other side: the same run in a thread, without its protection."""

    def start(self, model: Any, data: Any) -> None:
        whole = train_run._build_parts, train_run.StopOnSignal, train_run.StatusWriter

        def make_bare(config: dict[str, Any]) -> Any:
            made = whole[0](config)
            if threading.current_thread() is self.thread:
                _bare.it = True
                strip(made.model)
                made.callbacks[:] = [one for one in made.callbacks if not isinstance(one, Checkpoint)]
                train_run.StopOnSignal, train_run.StatusWriter = BareStop, BareStatus  # type: ignore[misc]
            return made

        train_run._build_parts = make_bare
        super().start(model, data)
        train_run._build_parts, train_run.StopOnSignal, train_run.StatusWriter = whole  # type: ignore[misc]


def strip(model: Any) -> None:
    """Takes the guard and the copies of buffers from a recipe."""
    model._is_finite = lambda *_, **__: True
    model._snapshot = model._restore = lambda *_: None


def only_where_protected(function: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        return (otherwise if getattr(_bare, "it", False) else function)(*arguments, **options)

    return call


def measure_steps(blocks: int) -> None:
    recipe: Any = recipe_module
    recipe.seed_torch = only_where_protected(recipe.seed_torch, lambda *_: None)
    recipe.Draws = only_where_protected(recipe.Draws, lambda *_: PlainDraws())
    print("cpu time of a step with the protection / without")
    for name, (overrides, *_rest) in CASES.items():
        watch = measure(name, blocks, BareRun(overrides), overrides)
        ratios = sorted(own / other for own, _, other, _ in watch.blocks)
        low, _, high = statistics.quantiles(ratios, n=4)
        own, other = (statistics.median(block[side] for block in watch.blocks) for side in (0, 2))
        goal = f"  goal {GOALS[name]}" if name in GOALS else ""
        print(
            f"  {name:32} {own / other:.3f} [{low:.3f}, {high:.3f}]  {own * 1e3:.2f} ms a step{goal}",
            flush=True,
        )


def measure_checkpoint(folder: Path, rounds: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"state_dict": {str(number): torch.randn(1000, 1000) for number in range(50)}}
    durable = DurableCheckpointIO()

    def plain() -> None:
        torch.save(state, folder / "plain.ckpt")

    def synced() -> None:
        with (folder / "synced.ckpt").open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())

    def ours() -> None:
        durable.save_checkpoint(state, folder / "ours.ckpt")
        if durable.error is not None:
            raise durable.error

    times: dict[str, list[float]] = {"torch.save": [], "torch.save and fsync": [], "ours": []}
    for number in range(rounds + 1):
        for name, save in zip(times, (plain, synced, ours)):
            began = time.perf_counter()
            save()
            if number:  # the first round warms the caches
                times[name].append(time.perf_counter() - began)
    for path in folder.glob("*.ckpt*"):
        path.unlink()
    for peer in ("torch.save", "torch.save and fsync"):
        low, middle, high = statistics.quantiles([a / b for a, b in zip(times["ours"], times[peer])], n=4)
        print(f"  200 MB against {peer:22} {middle:.2f} [{low:.2f}, {high:.2f}]")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=25)
    parser.add_argument("--checkpoint", type=Path, help="a folder on the disk to be measured")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args(words)
    if arguments.checkpoint is not None:
        measure_checkpoint(arguments.checkpoint, arguments.rounds)
    else:
        measure_steps(arguments.blocks)


if __name__ == "__main__":
    main()

"""How much of ours one batch passes through: a reader should follow it in one sitting, and it costs time.

Counted is a batch on which nothing is due but training: from the loader to the end of the step, with all
default callbacks in place, by sys.setprofile. As a script it lists the calls:

    python tests/test_batch_path.py model=mlp_gan
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ganvas

SOURCE = str(Path(ganvas.__file__).parent)
BATCH = 4  # the first ones make codes, files and pairs of lists


def calls_of_a_batch(overrides: list[str], folder: Path) -> Counter[str]:
    """Calls of ours by ``file:function`` between the ends of two batches of a run."""
    import pytorch_lightning as pl

    from ganvas.cli.compose.experiment import compose
    from ganvas.run import parts, train_run

    seen: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(SOURCE):
            seen[f"{code.co_filename.removeprefix(SOURCE)[1:]}:{code.co_qualname}"] += 1

    class Count(pl.Callback):
        """The recipe's own hook comes after a callback's: it is counted at the end of the batch before."""

        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            sys.setprofile(profile if pl_module.batches_seen == BATCH else None)

    build = parts.build
    parts.build = lambda node, path: Count() if path == "callback.count" else build(node, path)
    try:
        machine = ["accelerator=cpu", "accelerator.threads=1", f"paths.run_dir={folder}/run"]
        config = compose([*overrides, *machine, "trainer.max_steps=8"]).config
        config["callback"]["count"] = {"_target_": None}
        train_run.train({"config": config, "ganvas": {}})
    finally:
        sys.setprofile(None)
        parts.build = build
    return seen


def files(calls: Counter[str]) -> set[str]:
    return {name.partition(":")[0] for name in calls}


@pytest.mark.parametrize(
    ("overrides", "most_files", "most_calls"),
    [(["model=mlp_gan"], 16, 60), (["model=mlp_vqvae"], 24, 80)],
)
def test_a_batch_is_short(overrides: list[str], most_files: int, most_calls: int, tmp_path: Path) -> None:
    calls = calls_of_a_batch(overrides, tmp_path)
    assert calls["model/training/recipe.py:Recipe.descend"] >= 1
    assert calls["data/loading/loader.py:gather"] == 1
    assert len(files(calls)) <= most_files, files(calls)
    assert calls.total() <= most_calls, calls


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        found = calls_of_a_batch(sys.argv[1:], Path(temporary))
    for name, count in sorted(found.items()):
        print(f"{count:4d} {name}")
    print(f"{len(files(found))} files, {found.total()} calls")

"""A user's own callback with which one rank of a run comes to harm after a given number of examples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

WORDS = [
    "train",
    "model=mlp_gan",
    "trainer=smoke",
    "callback=minimal",
    "accelerator=ddp_cpu",
    "logger=none",
    "callback.checkpoint.every_examples=64",
    "paths.run_dir=run",
]
_SOURCE = '''
"""One rank comes to harm."""
import os, signal, time
import pytorch_lightning as pl


class Harm(pl.Callback):
    def __init__(self, kind: str, rank: int, examples: int):
        self.kind, self.rank, self.examples = kind, rank, examples

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_rank != self.rank or pl_module.examples_seen < self.examples:
            return
        if os.path.exists("harmed"):
            return  # once
        if self.kind == "loop":
            endless_loop()
        open("harmed", "w").close()
        if self.kind == "error":
            raise ValueError("a fault of one rank's")
        os.kill(os.getpid(), getattr(signal, self.kind))


def endless_loop():
    while True:
        time.sleep(0.01)
'''
_YAML = """
defaults: [minimal]
harm:
  _target_: harm.Harm
  kind: none
  rank: 1
  examples: 256
"""


def harming(folder: Path, kind: str, *, rank: int = 1, examples: int = 256) -> list[str]:
    """Words with which ``kind`` (``loop``, ``error`` or a signal's name) befalls a rank."""
    (folder / "conf" / "callback").mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "callback" / "harm.py").write_text(_SOURCE)
    (folder / "conf" / "callback" / "harm.yaml").write_text(_YAML)
    words = [word for word in WORDS if word != "callback=minimal"]
    harm = [
        f"callback.harm.{name}={value}"
        for name, value in (("kind", kind), ("rank", rank), ("examples", examples))
    ]
    return [*words, "--config-dir", "conf", "callback=harm", *harm]


def run_command(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m COMMAND`` in a folder, to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


def torchrun(folder: Path, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """``ganvas`` on two ranks of torchrun's."""
    return run_command(
        folder,
        "torch.distributed.run",
        "--nproc_per_node=2",
        "--standalone",
        *options,
        "-m",
        "ganvas",
        *words,
    )


def status(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run" / "status.json").read_text())


def left_in(folder: Path) -> list[int]:
    """Processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and Path(os.readlink(path / "cwd")) == folder:
                found.append(int(path.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]

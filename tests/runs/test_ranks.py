"""One rank of a run dies, hangs or fails: the run ends, by that rank's name, and goes on when resumed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import torch
from rank_faults import WORDS, harming, left_in, run_command, status
from run_files import newest_checkpoint

SOON = "accelerator.timeout=4"
SAID = {
    "SIGKILL": r"rank {0} of 2 \(process \d+ on \S+\) died",
    "SIGSTOP": r"rank {0} of 2 \(process \d+ on \S+\) shows no sign of life",
    "loop": r"rank {0} of 2 \(process \d+ on \S+\) in harm.py:\d+ in endless_loop hangs: .*timeout",
    "error": r"rank {0} of 2 \(process \d+ on \S+\): ValueError: a fault of one rank's",
}


@pytest.mark.parametrize(
    ("kind", "rank"),
    [("SIGKILL", 1), ("SIGSTOP", 0), ("loop", 1), ("error", 1)],
)
def test_a_rank_comes_to_harm(kind: str, rank: int, tmp_path: Path) -> None:
    done = run_command(tmp_path, "ganvas", *harming(tmp_path, kind, rank=rank), SOON)
    assert done.returncode == 1, done
    said = SAID[kind].format(rank)
    lines = done.stderr.strip().splitlines()
    assert re.search(said, lines[-1]), done.stderr
    assert len(lines) == 1 or kind == "error", done.stderr  # of an error of its own there is a traceback
    assert status(tmp_path)["state"] == "failed"
    assert re.search(said, status(tmp_path)["error"])
    began = time.monotonic()
    while left_in(tmp_path) and time.monotonic() - began < 20:
        time.sleep(0.05)
    assert left_in(tmp_path) == []
    if kind == "SIGKILL":
        _goes_on(tmp_path)


def _goes_on(folder: Path) -> None:
    """The resumed run ends as one that nothing happened to."""
    assert newest_checkpoint(folder / "run")["ganvas_clock"]["examples_seen"] <= 256
    done = run_command(folder, "ganvas", "resume", "run", "--config-dir", "conf")
    assert done.returncode == 0, done
    (folder / "whole").mkdir()
    assert run_command(folder / "whole", "ganvas", *WORDS).returncode == 0
    straight, resumed = newest_checkpoint(folder / "whole" / "run"), newest_checkpoint(folder / "run")
    assert resumed["ganvas_clock"] == straight["ganvas_clock"]
    for key, value in straight["state_dict"].items():
        assert torch.equal(resumed["state_dict"][key], value), key

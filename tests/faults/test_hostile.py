"""Nothing that a RUN, a checkpoint, an archive or a name holds is run: no canary, one line, exit code 2."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as for tests/faults/run.py, which counts the same cases

from hostile import CASES, complaint
from hostile_case import Case, Payload, forged_run, run, write_checkpoint


# The fault matrix, which CI runs too, tries each of them: here one of six, of every file of cases.
@pytest.mark.parametrize("case", CASES[::6], ids=lambda case: case.name)
def test_an_attack_is_refused(case: Case, tmp_path: Path) -> None:
    assert complaint(case, tmp_path) is None


def test_the_cases_are_many_and_all_different() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_run_that_nobody_has_touched_is_taken(tmp_path: Path) -> None:
    """The copies that the cases start from are sound: each refusal above has its case's reason."""
    path = forged_run(tmp_path)
    for words in (
        ["sample", str(path), "--num", "2"],
        ["export", str(path)],
        ["resume", str(path), "trainer.max_examples=128"],
    ):
        assert run(words)[0] == 0


def test_the_canary_sings_where_a_pickle_is_run(tmp_path: Path) -> None:
    """The attack works: what is refused above would have run."""
    import torch

    path, canary = forged_run(tmp_path), tmp_path / "canary"
    write_checkpoint(path, Payload(os.system, f"touch {canary}"))
    (file,) = path.glob("checkpoints/*.ckpt")
    torch.load(file, weights_only=False)
    assert canary.exists()

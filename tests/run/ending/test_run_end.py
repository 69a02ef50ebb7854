from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ganvas.errors import OutOfMemoryError
from ganvas.run.ending.run_end import record_failure
from ganvas.run.folder.run_folder import RunFolder


def test_memory_that_was_refused_is_one_line_of_the_status(tmp_path: Path) -> None:
    stack = "\n".join(f"frame #{number}: c10::alloc_cpu(unsigned long)" for number in range(90))
    error = RuntimeError(
        f"DefaultCPUAllocator: not enough memory: you tried to allocate 7000 bytes.\n{stack}"
    )
    group: Any = SimpleNamespace(blame=lambda one: one)
    ended = record_failure(RunFolder(tmp_path), error, group)
    assert isinstance(ended, OutOfMemoryError)
    status = RunFolder(tmp_path).read_status()
    assert status["state"] == "failed"
    assert status["error"].startswith("OutOfMemoryError: the memory of this machine is not enough (7 kB more")
    assert "trainer.micro_batches" in status["error"]
    assert len(status["error"]) < 300

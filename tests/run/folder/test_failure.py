from __future__ import annotations

from pathlib import Path

from ganvas.run.folder.failure import write_failure
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.run_folder import create


def test_only_a_run_that_nobody_ended_is_told_to_have_failed(tmp_path: Path) -> None:
    folder = create(tmp_path / "run", {"config": {}, "ganvas": {}})
    write_failure(folder, "rank 1 died")
    assert (folder.read_status()["state"], folder.read_status()["error"]) == ("failed", "rank 1 died")
    write_failure(folder, "rank 2 died")
    assert folder.read_status()["error"] == "rank 1 died"
    folder.write_status(state="running", error=None)
    with RunLock(folder.path):  # a first rank that hangs elsewhere
        write_failure(folder, "rank 0 hangs")
    assert folder.read_status()["error"] == "rank 0 hangs"
    write_failure(type(folder)(tmp_path / "none"), "x")
    assert not (tmp_path / "none").exists()

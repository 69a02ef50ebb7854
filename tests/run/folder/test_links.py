"""A run's folder is looked through while others write in it."""

from __future__ import annotations

import threading
from pathlib import Path

from ganvas.run.folder.links import check_tree


def test_files_that_come_and_go_while_it_looks(tmp_path: Path) -> None:
    """A killed run's trackers write on for a moment, in processes of their own."""
    is_done = threading.Event()

    def bustle() -> None:
        number = 0
        while not is_done.is_set():
            (tmp_path / f"{number}").touch()
            (tmp_path / f"{number - 40}").unlink(missing_ok=True)
            number += 1

    busy = threading.Thread(target=bustle)
    busy.start()
    try:
        for _ in range(300):
            check_tree(tmp_path, "RUN")
    finally:
        is_done.set()
        busy.join()

"""What a run's status says when nobody who trained it could say so."""

from __future__ import annotations

import contextlib

from ganvas.errors import OptionError
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.run_folder import RunFolder


def write_failure(folder: RunFolder, text: str) -> None:
    """Notes in a run's status.json why it ended, where nobody did.

    It takes the lock that the first rank left; where that one hangs on another machine it still holds it.
    """
    with contextlib.suppress(OSError, OptionError), contextlib.ExitStack() as stack:
        if folder.read_status().get("state") != "running":
            return
        with contextlib.suppress(OptionError):
            stack.enter_context(RunLock(folder.path))
        folder.write_status(state="failed", error=text)

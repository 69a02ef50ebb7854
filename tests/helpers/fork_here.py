"""``python -m ganvas ...`` as a fork of this very process, which has imported everything and has no threads.

Unlike with forked.py, whoever starts a process is its parent: a launcher is the parent of its ranks, and they
can see that it has gone.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fork_server import become
from forked import ends_of, request_of

_REAL = subprocess.Popen


class Fork(subprocess.Popen):
    """A Popen that forks where it can, and so do the processes that it starts."""

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(_REAL._execute_child).bind(self, *given).arguments  # type: ignore[attr-defined]
        request = request_of(**asked)
        if request is None:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose threads"
        ends, standard = ends_of(asked)
        self.pid = os.fork()
        if self.pid == 0:
            if request["module"] != "ganvas":  # it is run, and not imported
                sys.modules.pop(request["module"], None)
            become(request, [-1, *standard, *request["pass_fds"]], _ready)
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]


def _ready() -> None:
    """In the child: what it starts is forked too. /proc hides the environment of forks: a rank is named."""
    subprocess.Popen = Fork  # type: ignore[misc]
    if "LOCAL_RANK" in os.environ:
        Path("/proc/self/comm").write_text(f"rank {os.environ['LOCAL_RANK']}")

"""A command of ours as a process in a session of its own: nothing of a rank leaks in, nothing outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from ganvas.run.process.child import IMPORT_PATH, import_path
from ganvas.run.process.orphan import LAUNCHER

# What a rank or a job that encloses this process would leave in the environment of those that it starts.
_RANK_VARIABLES = (
    "RANK LOCAL_RANK GROUP_RANK ROLE_RANK NODE_RANK GANVAS_RANK "
    "WORLD_SIZE LOCAL_WORLD_SIZE GROUP_WORLD_SIZE ROLE_WORLD_SIZE MASTER_ADDR MASTER_PORT GANVAS_CONFIG_DIR "
    "TORCHELASTIC_RUN_ID TORCHELASTIC_RESTART_COUNT TORCHELASTIC_MAX_RESTARTS TORCHELASTIC_USE_AGENT_STORE"
).split()


def clean_environment() -> dict[str, str]:
    """This process's environment without the traces of a rank, and with its import path."""
    clean = {key: value for key, value in os.environ.items() if key not in _RANK_VARIABLES}
    return clean | {IMPORT_PATH: json.dumps(import_path())}


def start_session(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    output: IO[bytes] | None = None,
    folder: str | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a command that ends soon after this process, however that ends (see orphan.py).

    Signals of the terminal do not reach it: whoever starts it hands them on.

    Args:
        argv: as :func:`ganvas.run.process.child.python_module` makes it.
        environment: from :func:`clean_environment`, and more.
        output: where it prints; None: where this process does.
        folder: where relative paths begin; None: here.
    """
    return subprocess.Popen(
        list(argv),
        env={**environment, LAUNCHER: str(os.getpid())},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
    )


def end_session(process: subprocess.Popen[bytes]) -> None:
    """Ends by force every process that is left of a command (loaders, ranks): they share its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)

"""Two machines as two network namespaces of this one, joined by a pair of virtual interfaces."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESSES = ("10.77.0.1", "10.77.0.2")


def why_not() -> str | None:
    """Why namespaces cannot be made here; None where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no program ip (iproute2)"
    name = f"gv{os.getpid()}t"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespace can be made ({made.stderr.strip()})"
    _ip("netns", "del", name)
    return None


@contextmanager
def two_nodes() -> Iterator[tuple[str, str]]:
    """The names of two namespaces with ADDRESSES; they are gone afterwards."""
    names = (f"gv{os.getpid()}a", f"gv{os.getpid()}b")
    made: list[str] = []
    try:
        for name in names:
            _ip("netns", "add", name)
            made.append(name)
        _ip("link", "add", "v0", "netns", names[0], "type", "veth", "peer", "name", "v1", "netns", names[1])
        for number, (name, address) in enumerate(zip(names, ADDRESSES, strict=True)):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", f"v{number}")
            for device in ("lo", f"v{number}"):
                _ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in made:
            _ip("netns", "del", name)


def run_on(
    names: tuple[str, str],
    folders: tuple[Path, Path],
    commands: tuple[list[str], list[str]],
    environments: tuple[dict[str, str], dict[str, str]],
) -> list[subprocess.CompletedProcess[str]]:
    """Runs a command on each node, at the same time, to their ends."""
    started = []
    try:
        for name, folder, command, own in zip(names, folders, commands, environments, strict=True):
            started.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", name, *command],
                    cwd=folder,
                    text=True,
                    env=os.environ | {"OMP_NUM_THREADS": "1"} | own,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
        done = []
        for process in started:
            out, err = process.communicate(timeout=300)
            done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
        return done
    finally:
        for process in started:
            process.kill()
            process.wait()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)

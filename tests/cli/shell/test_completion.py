"""The scripts in the shells themselves: keys are typed and the line is read back."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forged_runs import forge

from ganvas.cli.shell.completion import SCRIPTS

LINES = {
    "ganvas reconst": "ganvas reconstruct ",
    "ganvas train model=dcg": "ganvas train model=dcgan ",
    "ganvas train trainer.max_ex": "ganvas train trainer.max_examples=",
    "ganvas train model=vqvae model/quantizer=f": "ganvas train model=vqvae model/quantizer=fsq ",
    "ganvas train model/optimizer@model.generator_optimizer=a": (
        "ganvas train model/optimizer@model.generator_optimizer=adam "
    ),
    "ganvas sample 10": "ganvas sample 10_gan ",
    "ganvas sample latest:mlp": "ganvas sample latest:mlp_gan ",
    "ganvas sample latest --trunc": "ganvas sample latest --truncation ",
    "ganvas evaluate latest --metrics fid ki": "ganvas evaluate latest --metrics fid kid ",
    "ganvas sample latest --out pictu": "ganvas sample latest --out pictures/",
}
START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    forge(tmp_path / "outputs" / "train" / "10_gan", status={"abilities": ["samples", "latents"]})
    (tmp_path / "pictures").mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ganvas"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ganvas.cli.main "$@"\n')
    program.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "TERM": "dumb", "PS1": "$ ", "HOME": str(folder), "LC_ALL": "C.UTF-8"}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.handle, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=environment(folder),
            start_new_session=True,
            close_fds=True,
        )
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self.handle, text.encode())

    def read_until(self, pattern: str, seconds: float = 60.0) -> str:
        """What is shown until the pattern is; what there was by then where it never is."""
        shown, until = "", time.monotonic() + seconds
        while re.search(pattern, shown) is None and time.monotonic() < until:
            if select.select([self.handle], [], [], 0.2)[0]:
                shown += os.read(self.handle, 65536).decode(errors="replace")
        return shown

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.handle)


@pytest.mark.slow
@pytest.mark.real_processes
@pytest.mark.parametrize("shell", START)
def test_tab_in_a_real_shell(shell: str, folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    with contextlib.closing(Terminal(START[shell], folder)) as terminal:
        terminal.type(f'eval "$(ganvas completion {shell})"; echo ready-$((40 + 2))\n')
        assert "ready-42" in terminal.read_until("ready-42")
        for typed, completed in LINES.items():
            terminal.type(f"{typed}\t")
            terminal.read_until(re.escape(completed[-6:].strip()), 20.0)
            terminal.type("\x01echo '<\x05>'\n")  # the line as the shell has it, printed by itself
            shown = terminal.read_until(r"\n<ganvas.*>")
            # zsh takes its space or slash back where nothing follows
            line = completed.rstrip(" /") if shell == "zsh" else completed
            assert f"\n<{line}>" in shown.replace("\r", ""), (typed, shown)


@pytest.mark.slow
@pytest.mark.real_processes
@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_is_offered_the_same(folder: Path) -> None:
    for typed, completed in LINES.items():
        script = f"ganvas completion fish | source; complete -C '{typed}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", script],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            check=True,
        )
        word = completed.split()[-1]
        assert [line.partition("\t")[0] for line in done.stdout.split("\n") if line] == [word], (typed, done)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_printed_under_both_names(shell: str, ganvas) -> None:
    assert ganvas("completion", shell).stdout == SCRIPTS[shell]
    assert ganvas("-sc", f"install={shell}").stdout == SCRIPTS[shell]


def test_a_shell_that_is_not_known(ganvas) -> None:
    done = ganvas("completion", "tcsh", code=2)
    assert "shell=tcsh: must be one of bash, zsh, fish" in done.stderr

"""The command line, run in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from ganvas.cli.main import main


class Done(NamedTuple):
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ganvas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """``ganvas("train", "model=dcgan")`` in tmp_path, in this process, or with ``fresh`` in one of its own.

    ``code`` is the exit code that must come (None: any).
    """
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int | None = 0, fresh: bool = False) -> Done:
        if fresh:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            command = [sys.executable, "-m", "ganvas", *words]
            ended = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=300, check=False
            )
            done = Done(ended.returncode, ended.stdout, ended.stderr)
        else:
            capsys.readouterr()
            returned = main(list(words))
            done = Done(returned, *capsys.readouterr())
        if code is not None:
            assert done.returncode == code, done
        return done

    return run


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """What users' words name in the tests of bad input: an empty folder, a file, images in two classes."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    for folder in ("classes/a", "classes/b", "flat"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8), (number, 2, 3)).save(tmp_path / folder / f"{number}.png")
    return tmp_path

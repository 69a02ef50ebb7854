"""What ``make`` would do: read off its own list of commands, none is run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def commands(target: str, venv: Path) -> str:
    words = ["make", "-n", "-C", str(ROOT), target, f"VENV={venv}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_training_installs_what_it_needs_and_no_more(tmp_path: Path) -> None:
    installed = re.findall(r"pip install .*", commands("train", tmp_path / "new"))
    assert installed == ["pip install --quiet -c constraints.txt -e ."]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[><=\[]", word)[0] for word in project["dependencies"]}
    assert needed.isdisjoint({"ray", "optuna", "cmaes", "mypy", "ruff", "pytest", "submitit", "matplotlib"})


def test_tests_install_everything_and_training_asks_for_nothing_then(tmp_path: Path) -> None:
    installed = re.findall(r"pip install .*", commands("test", tmp_path / "new"))
    assert installed == ['pip install --quiet -c constraints.txt -e ".[dev]"']
    for name in (".installed", ".trains"):
        (tmp_path / name).touch()
    assert "pip install" not in commands("train", tmp_path)


def test_the_end_says_how_to_go_on(tmp_path: Path) -> None:
    text = commands("train", tmp_path / "new")
    assert f"source {tmp_path}/new/bin/activate" in text

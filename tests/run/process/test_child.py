"""A process that ours start looks for modules where its parent does, and nowhere in the current folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.run.process.child import DEBUG, debugging, import_path, python_module, take_import_path

_TRAPS = ("json", "types", "random", "signal", "secrets", "pickle", "socket", "yaml")


@pytest.fixture
def traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files called as Python's modules; the one returned is there if they ran."""
    for name in _TRAPS:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write('{name} ')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "executed"


@pytest.mark.real_processes
def test_a_module_in_the_current_folder_is_not_executed(traps: Path) -> None:
    seen = subprocess.run(
        python_module("ganvas", "runs", "ls", "--json"), capture_output=True, text=True, check=False
    )
    assert (seen.returncode, seen.stdout.strip(), seen.stderr) == (0, "[]", "")
    assert not traps.exists()
    subprocess.run([sys.executable, "-m", "ganvas", "runs", "ls", "--json"], check=False, capture_output=True)
    assert traps.exists(), "the trap works"


def test_the_parents_path_is_taken_in_its_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/first", "", "here", *sys.path, "/last"])
    given = json.loads(json.dumps(import_path()))
    parents = ["/first", str(tmp_path), str(tmp_path / "here"), *sys.path[3:]]
    monkeypatch.setattr(sys, "path", ["/of/the/child"])
    take_import_path(given)
    assert sys.path == list(dict.fromkeys(parents))


def test_another_python_keeps_its_own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ["/other/lib", "/shared"]
    monkeypatch.setattr(sys, "path", list(own))
    take_import_path(
        {"prefixes": ["/parent", "/usr"], "path": ["/home/me", "/usr/lib/python3", "/shared", "/parent/x"]}
    )
    assert sys.path == [*own, "/home/me"]


@pytest.mark.parametrize("given", [None, 3, [], {}, {"prefixes": None, "path": None}])
def test_what_is_no_path_changes_none(given: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/mine"])
    take_import_path(given)
    assert sys.path == ["/mine"]


def test_children_show_tracebacks_where_their_parent_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEBUG, raising=False)
    with debugging(False) as shown:
        assert not shown
        assert DEBUG not in os.environ
    with debugging(True) as shown:
        assert shown
        with debugging(False) as shown_in_child:
            assert shown_in_child
    assert DEBUG not in os.environ

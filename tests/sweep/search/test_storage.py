from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import optuna
import pytest

from ganvas.errors import OptionError
from ganvas.sweep.search import storage
from ganvas.sweep.search.storage import absolute, hidden, is_there, open_storage


def test_the_same_place_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute(None) is None
    assert absolute("a/study.log") == f"{tmp_path}/a/study.log"
    assert absolute("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert absolute(f"sqlite:///{tmp_path}/a.db") == f"sqlite:///{tmp_path}/a.db"
    assert absolute("postgresql://me@host/x") == "postgresql://me@host/x"
    for gone in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(OptionError, match="gone with the process"):
            absolute(gone)
    with pytest.raises(OptionError, match=r"storage=x.db: looks like a database; write sqlite:///x.db"):
        absolute("x.db")


def test_passwords_are_not_shown() -> None:
    assert hidden("postgresql://me:pass@word@host/x") == "postgresql://me:***@host/x"
    assert hidden("sqlite:////a@b.db") == "sqlite:////a@b.db"
    assert hidden("a/study.log") == "a/study.log"
    with pytest.raises(OptionError) as caught:
        open_storage("postgresql://me:hunter22@localhost:1/x", Path())
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("place", [None, "{}/shared.log", "sqlite:///{}/x.db"])
def test_what_was_written_is_there(place: str | None, tmp_path: Path) -> None:
    place = place and place.format(tmp_path)
    assert place is None or not is_there(place)
    study = optuna.create_study(storage=open_storage(place, tmp_path), study_name="s")
    study.add_trial(optuna.trial.create_trial(value=2.0))
    assert place is None or is_there(place)
    again = optuna.load_study(storage=open_storage(place, tmp_path), study_name="s")
    assert [trial.value for trial in again.trials] == [2.0]


def refused(place: str, tmp_path: Path) -> str:
    with pytest.raises(OptionError) as caught:
        optuna.create_study(storage=open_storage(place, tmp_path), study_name="s")
    assert caught.value.option == "hydra.sweeper.storage"
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_a_locked_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    open_storage(url, tmp_path)
    monkeypatch.setattr(storage, "LOCK_SECONDS", 0.1)
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert "is locked by another process" in refused(url, tmp_path)
    finally:
        holder.close()


def test_a_database_of_another_version(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    open_storage(url, tmp_path)
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    reason = refused(url, tmp_path)
    assert reason.startswith("is of another version of Optuna")
    assert "optuna storage upgrade" in reason


def test_what_is_no_storage(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 100)
    assert "cannot be used" in refused(f"sqlite:///{tmp_path}/x.db", tmp_path)
    for text in ("my notes\n", "my notes", '{"a": 1}\n'):
        (tmp_path / "notes.txt").write_text(text)
        assert "no journal of Optuna's" in refused(f"{tmp_path}/notes.txt", tmp_path)
        assert (tmp_path / "notes.txt").read_text() == text
    assert "is no file" in refused(str(tmp_path), tmp_path)
    assert "its folder is not there" in refused(f"{tmp_path}/a/b.log", tmp_path)
    assert "cannot be used" in refused(f"sqlite:///{tmp_path}/a/b.db", tmp_path)
    assert not (tmp_path / "a").exists()
    assert refused("nosuchdatabase://x", tmp_path)


def test_a_damaged_journal(tmp_path: Path) -> None:
    study = optuna.create_study(storage=open_storage(None, tmp_path), study_name="s")
    study.add_trial(optuna.trial.create_trial(value=2.0))
    path = tmp_path / "study.log"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"value', b'"val"ue', 1))
    assert "is damaged in line 2" in refused(None, tmp_path)
    path.write_bytes(whole.replace(b"\n", b'\n{"op_code":4,\n', 1))
    assert "cannot be used" in refused(None, tmp_path)
    path.write_bytes(whole + b'{"op_code":999,"worker_id":"x"}\n')
    assert "another version" in refused(None, tmp_path)
    path.write_bytes(whole + b'{"op_code": 4, "wor')  # a kill in the middle of a write
    again = optuna.load_study(storage=open_storage(None, tmp_path), study_name="s")
    again.add_trial(optuna.trial.create_trial(value=3.0))
    whole = optuna.load_study(storage=open_storage(None, tmp_path), study_name="s")
    assert [trial.value for trial in whole.trials] == [2.0, 3.0]


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_journal(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("")
    (tmp_path / "x.log").chmod(0)
    assert "cannot be used" in refused(f"{tmp_path}/x.log", tmp_path)


def test_a_lock_that_a_kill_left_is_taken_soon(tmp_path: Path) -> None:
    """Killed between taking the lock and giving it back."""
    script = f"""
        import os, signal
        from optuna.storages.journal import JournalFileSymlinkLock
        JournalFileSymlinkLock({str(tmp_path / "study.log")!r}).acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=120)
    assert (tmp_path / "study.log.lock").is_symlink()
    began = time.monotonic()
    study = optuna.create_study(storage=open_storage(None, tmp_path), study_name="s")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert len(study.trials) == 1
    assert time.monotonic() - began < 20

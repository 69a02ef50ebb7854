from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.files.folders import current_folder, expanded, packaged_conf

_HOME = pwd.getpwuid(os.getuid()).pw_dir


@pytest.mark.parametrize("home", ["", "relative", "~other", None])
def test_a_home_that_the_environment_does_not_know(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's word on the user, and no folder of the root or of here."""
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    assert expanded("~/a/b", "data.root") == Path(_HOME, "a/b")
    assert expanded("~", "data.root") == Path(_HOME)


def test_what_is_expanded_and_what_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/homes/me")
    assert expanded("~/a", "x") == Path("/homes/me/a")
    assert expanded(f"~{pwd.getpwuid(os.getuid()).pw_name}/a", "x") == Path(_HOME, "a")
    for text in ("a", "/a/~", "./~/a", "a/~user"):
        assert expanded(text, "x") == Path(text)


@pytest.mark.parametrize("text", ["~nosuchuser", "~nosuchuser/a", "~\u00e9/x"])
def test_nobodys_home_is_refused_by_name(text: str) -> None:
    with pytest.raises(OptionError, match=f"^data.root={text}: there is no user .*; write the folder out"):
        expanded(text, "data.root")


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers have them: a number without a name."""

    def unknown(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(OptionError, match=r"^GANVAS_CACHE=~/.cache: this user has no home folder; set HOME"):
        expanded("~/.cache", "GANVAS_CACHE")


def test_a_name_with_a_nul_byte() -> None:
    with pytest.raises(OptionError, match=r"^--out=a\?b: holds a NUL byte"):
        expanded("a\0b", "--out")


def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert current_folder() == gone
    gone.rmdir()
    with pytest.raises(OptionError, match=r"^PWD=.*: the current folder was deleted; cd to"):
        current_folder()


def test_packaged_conf_is_there() -> None:
    assert (packaged_conf() / "train.yaml").is_file()

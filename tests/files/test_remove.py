"""A folder that is deleted is there or gone: whoever is killed meanwhile leaves nothing of its name."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from ganvas.files.remove import clear_removed, is_removed, is_rest, remove_folder
from ganvas.files.write import temporary_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, and one in a folder."""
    path = tmp_path / "place" / "run"
    (path / "inner").mkdir(parents=True)
    for name in ("last", "first", "inner/file"):
        (path / name).write_text(name)
    return path


def test_it_is_gone(folder: Path) -> None:
    remove_folder(folder)
    assert list(folder.parent.iterdir()) == []


def test_links_in_it_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (folder / "link").symlink_to(tmp_path / "kept")
    remove_folder(folder)
    assert (tmp_path / "kept" / "file").is_file()


@pytest.mark.parametrize("name", ["run", "n" * 255, "ü" * 127, "a\nb"])
def test_a_kill_at_any_deletion_leaves_no_part_under_the_name(name: str, folder: Path, monkeypatch) -> None:
    folder = folder.rename(folder.with_name(name))
    for number in range(4):  # two files, a file and a folder in the folder, itself
        place = folder.parent.with_name(f"{number}")
        shutil.copytree(folder.parent, place)
        if (pid := os.fork()) == 0:
            _kill_at_deletion(number, monkeypatch)
            remove_folder(place / name)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        assert not (place / name).exists()
        (left,) = place.iterdir()
        assert is_removed(left)
        clear_removed(place.parent, depth=2)
        assert list(place.iterdir()) == []


def _kill_at_deletion(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(100))

    def reached(real):
        def wrapped(*args, **kwargs):
            if next(count) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return wrapped

    for function in ("unlink", "rmdir"):
        monkeypatch.setattr(os, function, reached(getattr(os, function)))


def test_what_cannot_be_renamed_is_left_whole(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "rename", _refuse)
    with pytest.raises(OSError, match="busy"):
        remove_folder(folder)
    assert sorted(path.name for path in folder.rglob("*")) == ["file", "first", "inner", "last"]


def test_what_cannot_be_deleted_has_its_name_back_and_what_goes_last(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", _refuse)
    with pytest.raises(OSError, match="busy") as caught:
        remove_folder(folder, last="last")
    assert (folder / "last").is_file()
    assert (folder / "inner" / "file").is_file()
    assert str(caught.value.filename) == str(folder / "inner")
    monkeypatch.undo()
    remove_folder(folder, last="last")
    assert list(folder.parent.iterdir()) == []


def _refuse(path: str | Path, *_: object, **__: object) -> None:
    raise OSError(16, "busy", str(path))


def test_nothing_else_is_cleared(folder: Path, tmp_path: Path) -> None:
    names = [".run", ".run.removed", ".run.0123456789abcdeg.removed", "run.0123456789abcdef.removed"]
    for name in names:
        (folder.parent / name).mkdir()
    linked = folder.parent / ".link.0123456789abcdef.removed"
    linked.symlink_to(folder)
    (folder.parent / ".file.0123456789abcdef.removed").touch()
    before = sorted(tmp_path.rglob("*"))
    clear_removed(tmp_path, depth=3)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_lies_deeper_is_not_looked_at(folder: Path, tmp_path: Path) -> None:
    left = folder / ".x.0123456789abcdef.removed"
    left.mkdir()
    clear_removed(tmp_path, depth=2)
    assert left.is_dir()
    clear_removed(tmp_path, depth=3)
    assert not left.exists()


def test_the_names_of_rests(tmp_path: Path) -> None:
    assert is_rest(temporary_name(tmp_path / "run"))
    assert is_rest(tmp_path / ".run.0123456789abcdef.removed")
    assert not is_rest(tmp_path / ".run.tmp")
    assert not is_rest(tmp_path / "run")
    assert not is_removed(temporary_name(tmp_path / "run"))

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ganvas.files.write import (
    WholeFile,
    Workshop,
    is_free,
    new_folder,
    sync_folder,
    write_bytes,
    write_text,
)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old \ud800")
    assert (tmp_path / "x").read_text() == "old ?"
    write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x"]
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~umask


def fill(block: AbstractContextManager[Any], error: type[BaseException]) -> None:
    with block as target:
        if isinstance(target, Workshop):
            target.write("a/b", b"a")
        else:
            target.write(b"half")
        raise error


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_error_the_older_file_is_there(error: type[BaseException], tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")
    file = WholeFile(tmp_path / "x")
    with pytest.raises(error):
        fill(file, error)
    assert (tmp_path / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_disk_that_fails_late_leaves_the_older_file(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_text(tmp_path / "x", "old")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(OSError, match="Input/output"):
            write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_is_no_error(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", sync)
    write_text(tmp_path / "x", "text")
    sync_folder(tmp_path)
    with new_folder(tmp_path / "made") as place:
        place.write("y", b"y")
    assert (tmp_path / "x").read_text() == "text"
    assert (tmp_path / "made" / "y").read_bytes() == b"y"


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="is no regular file"):
            write_text(tmp_path / name, "new")
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/x")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "x").read_text() == "new"


def test_a_name_of_the_longest_kind(tmp_path: Path) -> None:
    name = "\u00e4" * 127  # 254 bytes
    write_text(tmp_path / name, "new")
    assert os.listdir(tmp_path) == [name]


def test_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    contents = [bytes([i]) * 100_000 for i in range(8)]

    def work(content: bytes) -> None:
        for _ in range(20):
            write_bytes(tmp_path / "x", content)

    threads = [threading.Thread(target=work, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "x").exists():
            assert (tmp_path / "x").read_bytes() in contents
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == ["x"]


def test_the_part_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    code = (
        "import sys; from ganvas.files.write import WholeFile; file = WholeFile(sys.argv[1]);"
        "file.file.write(b'half'); print('there', flush=True); sys.stdin.read(); file.commit()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
    assert len(os.listdir(tmp_path)) == 2
    processes[0].send_signal(signal.SIGKILL)
    processes[0].wait()
    write_text(tmp_path / "x", "new")
    assert len(os.listdir(tmp_path)) == 2  # the file, and what the living one writes
    processes[1].communicate()
    assert (tmp_path / "x").read_text() == "half"
    assert os.listdir(tmp_path) == ["x"]


def test_a_folder_is_there_once_it_is_full(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as folder:
        folder.write("a", b"a")
        folder.write("b/c", b"c")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "a"
    assert (tmp_path / "out" / "b" / "c").read_text() == "c"
    with pytest.raises(FileExistsError), new_folder(tmp_path / "out"):
        pass
    with pytest.raises(KeyboardInterrupt):
        fill(new_folder(tmp_path / "other"), KeyboardInterrupt)
    assert os.listdir(tmp_path) == ["out"]


def test_an_empty_folder_is_filled_and_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    before = out.stat().st_ino
    with pytest.raises(KeyboardInterrupt):
        fill(new_folder(out), KeyboardInterrupt)
    assert os.listdir(out) == []
    monkeypatch.chdir(out)
    with new_folder(Path(".")) as folder:
        folder.write("a", b"a")
        folder.write("b/c", b"c")
        assert os.listdir(out) == [folder.path.name]
    assert sorted(os.listdir(out)) == ["a", "b"]
    assert (out.stat().st_ino, out.stat().st_mode & 0o777) == (before, 0o700)
    assert not is_free(out)


def test_a_folder_that_cannot_get_all_its_names_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def fail(source: Path, target: Path) -> None:
        if target.name == "b":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="No space"), new_folder(tmp_path) as folder:  # noqa: PT012
        folder.write("a/x", b"a")
        folder.write("b", b"b")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("inside", [False, True])
def test_the_folder_of_a_killed_process_goes(inside: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, sys; from pathlib import Path; from ganvas.files.write import new_folder\n"
        "with new_folder(Path(sys.argv[1])) as folder:\n"
        " folder.write('a/b', b'half'); os.kill(os.getpid(), 9)"
    )
    if inside:
        out.mkdir()
    assert subprocess.run([sys.executable, "-c", code, out], check=False).returncode == -9
    (left,) = (out if inside else tmp_path).iterdir()
    assert left.name.startswith(".out.")
    assert is_free(out)
    with new_folder(out) as folder:
        folder.write("c", b"c")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["c"]


def test_permissions_of_the_older_file_stay(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")
    (tmp_path / "x").chmod(0o640)
    write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_one_that_is_let_go_leaves_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")
    file = WholeFile(tmp_path / "x")
    file.file.write(b"half")
    assert len(os.listdir(tmp_path)) == 2
    if os.fork() == 0:  # a worker that got it by a fork and ends
        del file
        os._exit(0)
    os.wait()
    assert len(os.listdir(tmp_path)) == 2
    del file
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_text() == "old"

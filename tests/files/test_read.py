from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganvas.files.read import NotRegularError, TooLargeError, open_regular, read_bytes


def test_a_file_is_read_through_a_link_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link", 5) == b"12345"
    with open_regular(str(tmp_path / "file")) as file:
        file.seek(2)
        assert file.read() == b"345"


def test_one_byte_too_many_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123456")
    with pytest.raises(TooLargeError, match="more than 5 bytes"):
        read_bytes(tmp_path / "file", 5)


def test_what_blocks_or_never_ends_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("pipe", "link", "."):
        with pytest.raises(NotRegularError, match="is no regular file"):
            open_regular(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_limit_beyond_the_memory_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", 2**50) == b"12345"


def test_a_file_that_says_no_size_is_read_to_its_end(tmp_path: Path) -> None:
    content = read_bytes("/proc/self/maps", 10**7)
    assert os.stat("/proc/self/maps").st_size == 0
    assert len(content) > 2000
    with pytest.raises(TooLargeError, match="more than 1,000 bytes"):
        read_bytes("/proc/self/maps", 1000)

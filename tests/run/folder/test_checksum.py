from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ganvas.run.folder.checksum import checksum_matches, checksums, sha256_of, sidecar


def test_any_of_the_hashes_in_the_sidecar_will_do(tmp_path: Path) -> None:
    path = tmp_path / "8.ckpt"
    path.write_bytes(b"abc")
    assert sha256_of(path) == hashlib.sha256(b"abc").hexdigest()
    assert not checksum_matches(path)  # no sidecar
    other, own = hashlib.sha256(b"abd").hexdigest(), hashlib.sha256(b"abc").hexdigest()
    sidecar(path).write_text(f"{other}  8.ckpt\n")
    assert not checksum_matches(path)
    sidecar(path).write_text(f"{other}  8.ckpt\n{own}  8.ckpt\n")
    assert checksum_matches(path)
    assert checksums(path) == [other, own]


def test_broken_sidecars_match_nothing(tmp_path: Path) -> None:
    path = tmp_path / "8.ckpt"
    path.write_bytes(b"abc")
    for content in (b"", b"\n\n", b"\xff\xfe\x00"):
        sidecar(path).write_bytes(content)
        assert not checksum_matches(path)
    sidecar(path).write_text(f"{hashlib.sha256(b'abc').hexdigest()}\n")
    path.unlink()
    assert not checksum_matches(path)


def test_a_sidecar_or_a_checkpoint_that_is_no_file_or_endless_matches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "8.ckpt"
    path.write_bytes(b"abc")
    own = hashlib.sha256(b"abc").hexdigest()
    os.mkfifo(sidecar(path))
    assert checksums(path) == []
    sidecar(path).unlink()
    sidecar(path).symlink_to("/dev/zero")
    assert checksums(path) == []
    sidecar(path).unlink()
    with sidecar(path).open("w") as file:
        file.write(f"{own}  8.ckpt\n")
        file.truncate(2 << 30)  # 2 GiB, of which nothing lies on the disk
    assert not checksum_matches(path)
    sidecar(path).write_text(f"{own}  8.ckpt\n")
    assert checksum_matches(path)
    path.unlink()
    os.mkfifo(path)
    assert not checksum_matches(path)
    with pytest.raises(OSError, match="is no regular file"):
        sha256_of(path)

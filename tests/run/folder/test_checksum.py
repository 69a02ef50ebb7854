from __future__ import annotations

import hashlib
from pathlib import Path

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

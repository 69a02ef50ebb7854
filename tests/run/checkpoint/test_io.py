from __future__ import annotations

import hashlib
import os
from io import FileIO
from pathlib import Path

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.run.checkpoint import io as module
from ganvas.run.checkpoint.io import DurableCheckpointIO
from ganvas.run.folder.checksum import checksum_matches, checksums

STATE = {"state_dict": {"w": torch.arange(6.0).reshape(2, 3)}, "global_step": 7, "name": "x"}
io = DurableCheckpointIO()


def save(folder: Path, state: dict = STATE) -> Path:
    path = folder / "checkpoints" / "000000000640.ckpt"
    io.save_checkpoint(state, path)
    return path


def test_round_trip(tmp_path: Path) -> None:
    path = save(tmp_path)
    read = io.load_checkpoint(path)
    assert torch.equal(read["state_dict"]["w"], STATE["state_dict"]["w"])
    assert (read["global_step"], read["name"]) == (7, "x")
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, f"{path.name}.sha256"]


def test_sidecar_is_what_sha256sum_writes(tmp_path: Path) -> None:
    path = save(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.with_name(f"{path.name}.sha256").read_text() == f"{digest}  {path.name}\n"


@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.999])
def test_a_flipped_bit_is_refused(place: float, tmp_path: Path) -> None:
    path = save(tmp_path)
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 16
    path.write_bytes(bytes(data))
    with pytest.raises(OptionError, match="damaged"):
        io.load_checkpoint(path)


def test_a_missing_sidecar_and_a_truncated_file_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path)
    path.with_name(f"{path.name}.sha256").unlink()
    with pytest.raises(OptionError, match="damaged"):
        io.load_checkpoint(path)
    path = save(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OptionError, match="damaged"):
        io.load_checkpoint(path)


def test_no_code_is_loaded(tmp_path: Path) -> None:
    path = save(tmp_path, {"code": os.getcwd})
    with pytest.raises(Exception, match=r"[Ww]eights.?only"):
        io.load_checkpoint(path)


@pytest.mark.parametrize("call", range(1, 8))
@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_write_that_fails_anywhere_leaves_a_whole_file(
    name: str, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same name: until it is replaced, both hashes stand beside it."""
    path = save(tmp_path)
    real, calls = getattr(os, name), iter(range(1, 100))

    def fail(*arguments: object) -> object:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        save(tmp_path, STATE | {"global_step": 8})
    failed = next(calls) > call
    assert (io.error is not None) == failed
    assert io.load_checkpoint(path)["global_step"] in ((7, 8) if failed else (8,))
    assert not list(path.parent.glob(".*"))
    assert len(list(path.parent.iterdir())) == 2
    save(tmp_path, STATE | {"global_step": 9})
    assert io.error is None
    assert io.load_checkpoint(path)["global_step"] == 9
    assert len(checksums(path)) == 1


def test_what_torch_writes_on_a_full_disk_ends_in_an_error_and_not_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes from inside torch's C++ writer, at every piece that it writes."""

    class Full(FileIO):
        def write(self, data: object) -> int:
            if self.tell() > 300:
                raise OSError(28, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    path = save(tmp_path)
    monkeypatch.setattr(module, "FileIO", Full)
    save(tmp_path, STATE | {"global_step": 8})
    assert io.error is not None
    assert "No space" in str(io.error)
    assert io.load_checkpoint(path)["global_step"] == 7
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize("call", [1, 2])
def test_an_error_of_the_disk_while_more_is_written_is_not_forgotten(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may report a failed write once: to the sync that was under way."""
    calls = iter(range(1, 100))

    def fail(handle: int) -> None:
        if next(calls) == call:
            raise OSError(5, "Input/output error")

    path = save(tmp_path)
    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(module, "_SYNC_EVERY", 1 << 10)
    save(tmp_path, {str(number): torch.rand(400_000) for number in range(40)})
    assert next(calls) > call
    assert "Input/output" in str(io.error)
    assert io.load_checkpoint(path)["global_step"] == 7


def test_the_hash_is_that_of_the_file_for_large_tensors_too(tmp_path: Path) -> None:
    """They are hashed in a second thread."""
    path = save(
        tmp_path, {"large": torch.arange(3_000_000), "small": torch.arange(3), "more": torch.rand(400_000)}
    )
    assert checksum_matches(path)
    assert torch.equal(torch.load(path, weights_only=True)["large"], torch.arange(3_000_000))


def test_a_new_file_appears_under_its_name_only_when_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path)
    assert not list((tmp_path / "checkpoints").iterdir())


def test_remove_takes_the_sidecar_along(tmp_path: Path) -> None:
    path = save(tmp_path)
    io.remove_checkpoint(path)
    assert not list(path.parent.iterdir())
    io.remove_checkpoint(path)

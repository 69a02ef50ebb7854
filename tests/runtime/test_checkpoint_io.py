from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.runtime.checkpoint_io import DurableCheckpointIO

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


@pytest.mark.parametrize("broken", ["replace", "fsync", "second_replace"])
def test_an_interrupted_write_leaves_the_old_file(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path)
    old = path.read_bytes()
    calls = iter([None, "stop"] if broken == "second_replace" else ["stop"])
    real = getattr(os, broken.removeprefix("second_"))

    def fail(*arguments: object) -> object:
        if next(calls, None):
            raise OSError(28, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, broken.removeprefix("second_"), fail)
        with pytest.raises(OSError, match="No space"):
            save(tmp_path, STATE | {"global_step": 8})
    assert path.read_bytes() == old
    assert not list(path.parent.glob(".*"))
    assert len(list(path.parent.iterdir())) == 2
    if broken != "second_replace":  # there the hash is already the new file's
        assert io.load_checkpoint(path)["global_step"] == 7


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

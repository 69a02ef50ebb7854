from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from ganvas.errors import OptionError
from ganvas.functional.cache import cache_dir, in_order, put


def test_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("GANVAS_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "ganvas"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "ganvas"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["GANVAS_CACHE", "XDG_CACHE_HOME"])
def test_a_cache_in_nobodys_home(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANVAS_CACHE")
    monkeypatch.setenv(name, "~nosuchuser/x")
    with pytest.raises(OptionError, match=f"^{name}=~nosuchuser/x: there is no user nosuchuser"):
        cache_dir()
    monkeypatch.setenv("HOME", "/homes/me")
    monkeypatch.setenv(name, "~/x")
    assert cache_dir().is_relative_to("/homes/me/x")


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    put(path, b"old")
    put(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_put_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    put(path, b"old")

    def full(*args: object) -> None:
        raise OSError("full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="full"):
        put(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_tensors_and_metadata_are_the_same_bytes_in_any_order() -> None:
    tensors = {"b": torch.arange(5), "a": torch.eye(3, dtype=torch.bfloat16)}
    metadata = {name: f"{name} \u00e4 " * 7 for name in "zyxwvuts"}
    made = {in_order(save(tensors, metadata=metadata)) for _ in range(5)}
    assert len(made) == 1
    (content,) = made
    loaded = load(content)
    assert all(torch.equal(loaded[name], value) for name, value in tensors.items())
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == metadata
    assert list(header["__metadata__"]) == sorted(metadata)

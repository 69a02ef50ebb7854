from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ganvas.metric.feature_cache import manifest_of, read_features, write_features

TENSORS = {"features": torch.arange(6.0).view(3, 2), "label": torch.tensor([0, 2, 1])}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "here"))
    return tmp_path / "here" / "features"


def test_round_trip(cache: Path) -> None:
    manifest = manifest_of({"split": "test"}, {"name": "pixels"})
    assert read_features(manifest) is None
    write_features(manifest, TENSORS)
    found = read_features(manifest)
    assert found is not None
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in TENSORS.items()
    }
    assert [path.suffix for path in cache.iterdir()] == [".safetensors"]


def test_another_manifest_finds_nothing(cache: Path) -> None:
    write_features(manifest_of({"split": "test"}, {"name": "pixels", "size": 8}), TENSORS)
    assert read_features(manifest_of({"split": "test"}, {"name": "pixels", "size": 4})) is None
    assert read_features(manifest_of({"split": "val"}, {"name": "pixels", "size": 8})) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_a_damaged_file_counts_as_absent(cache: Path, damage: str) -> None:
    manifest = manifest_of({"split": "test"}, {"name": "pixels"})
    write_features(manifest, TENSORS)
    (path,) = cache.iterdir()
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-1] ^= 1
    elif damage == "cut":
        del data[-4:]
    elif damage == "empty":
        data.clear()
    else:  # a whole file under another one's name
        write_features("other", TENSORS)
        other = next(one for one in cache.iterdir() if one != path)
        data = bytearray(other.read_bytes())
    path.write_bytes(data)
    assert read_features(manifest) is None


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for_and_replaced(
    cache: Path, put: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    manifest = manifest_of({"split": "test"}, {"name": "pixels"})
    write_features(manifest, TENSORS)
    (path,) = cache.iterdir()
    path.unlink()
    put(path)
    assert read_features(manifest) is None
    assert "are made anew" in caplog.text
    write_features(manifest, TENSORS)
    found = read_features(manifest)
    assert found is not None
    assert torch.equal(found["features"], TENSORS["features"])


@pytest.mark.parametrize(
    "change",
    [
        {"features": TENSORS["features"].double()},
        {"features": torch.tensor(1.0)},
        {"features": torch.zeros(0, 2)},
        {"features": torch.zeros(4, 2), "label": torch.zeros(4, dtype=torch.int64)},
        {"label": torch.zeros(2, dtype=torch.int64)},
        {"label": torch.zeros(3)},
        {"more": torch.zeros(3)},
    ],
)
def test_other_tensors_than_were_asked_for_are_not_believed(
    cache: Path, change: dict[str, torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    """Each of these files is whole, and its hash is right."""
    manifest = manifest_of({"split": "test", "samples": 3}, {"name": "pixels"})
    write_features(manifest, TENSORS)
    assert read_features(manifest) is not None
    write_features(manifest, TENSORS | change)
    assert read_features(manifest) is None
    assert len(caplog.messages) == 1


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "file"))
    write_features("manifest", TENSORS)
    assert read_features("manifest") is None

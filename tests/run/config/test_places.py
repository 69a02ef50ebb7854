"""What a stored config may name; how commands take it is in tests/cli/test_confined.py."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganvas.errors import OptionError
from ganvas.files.folders import packaged_conf
from ganvas.run.config.places import confine

MIRRORS = yaml.safe_load((packaged_conf() / "data" / "mnist.yaml").read_text())["mirrors"]
EVIL = "http://127.0.0.1:9"


def confined(config: dict[str, Any], folder: Path, *written: str) -> dict[str, Any]:
    made = copy.deepcopy(config)
    confine(made, folder, written)
    return made


def mnist(root: Path | None, *mirrors: str) -> dict[str, Any]:
    node: dict[str, Any] = {"_target_": "ganvas.data.mnist.MNIST", "mirrors": list(mirrors)}
    return {"data": node if root is None else node | {"root": str(root)}}


def test_packaged_mirrors_fill_the_callers_folders_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANVAS_DATA", str(tmp_path / "data"))
    run = tmp_path / "run"
    for place in (tmp_path / "data/mnist", run / "mnist", tmp_path / "data/../data/x"):
        assert confined(mnist(place, EVIL, *MIRRORS), run)["data"]["mirrors"] == MIRRORS
    for place in (tmp_path, tmp_path / "data2", tmp_path / "data/../x", Path("/")):
        assert confined(mnist(place, EVIL, *MIRRORS), run)["data"]["mirrors"] == []
        given = confined(mnist(place, EVIL, *MIRRORS), run, "data.root")
        assert given["data"]["mirrors"] == MIRRORS
    assert confined(mnist(tmp_path, EVIL), run, "data.mirrors")["data"]["mirrors"] == [EVIL]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path)  # where it leads is what counts
    assert confined(mnist(tmp_path / "data/link", *MIRRORS), run)["data"]["mirrors"] == []
    monkeypatch.delenv("GANVAS_DATA")
    monkeypatch.chdir(tmp_path)
    assert confined(mnist(Path("data/mnist"), *MIRRORS), run)["data"]["mirrors"] == MIRRORS


def test_mirrors_at_any_depth(tmp_path: Path) -> None:
    features = {"_target_": "ganvas.metric.features.inception.Inception", "mirrors": [EVIL]}
    config = {"metric": {"features": features}, "callback": {"evaluation": {"features": [features]}}}
    made = confined(config, tmp_path)
    assert made["metric"]["features"]["mirrors"] == []
    assert made["callback"]["evaluation"]["features"][0]["mirrors"] == []
    assert confined({"data": {"mirrors": EVIL}}, tmp_path)["data"]["mirrors"] == []


@pytest.mark.parametrize("value", [f"{EVIL}/x", "s3://bucket/x", "file:/etc/passwd", "FTP://x"])
def test_addresses(value: str, tmp_path: Path) -> None:
    for config in ({"data": {"x": [{"y": value}]}}, {"model": {"x": [{"y": value}]}}):
        (section,) = config
        with pytest.raises(OptionError, match=rf"^{section}\.x\[0\]\.y=.*: is an address"):
            confined(config, tmp_path)
        assert confined(config, tmp_path, f"{section}.x[0].y") == config


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "a ${x} b", "${oc.decode:${y}}"])
def test_interpolations(value: str, tmp_path: Path) -> None:
    for path, config in (("name", {"name": value}), ("callback.a", {"callback": {"a": value}})):
        with pytest.raises(OptionError, match=rf"^{path}=.*: is an interpolation"):
            confined(config, tmp_path)


def test_usual_values_stay(tmp_path: Path) -> None:
    """What is only read may lie anywhere; texts are no addresses for their colons."""
    usual = {
        "name": "a:b",
        "data": {"_target_": "ganvas.data.digits.Digits", "root": "/images", "shards": ["/x/{0..9}.tar"]},
        "metric": {"features": {"weights": "/weights/x.safetensors", "heads": None}},
        "trainer": {"max_time": "00:01:00:00", "profiler": None},
        "model": {"x": "C: a / b", "y": "$HOME", "z": 1e-4},
    }
    assert confined(usual, tmp_path) == usual


def test_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where some lie already, below the run, or the user's own; a folder of another purpose is none."""
    cache, run, root = tmp_path / "cache", tmp_path / "run", tmp_path / "images"
    monkeypatch.setenv("GANVAS_CACHE", str(cache))
    root.mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "id_rsa").touch()

    def place(**node: Any) -> Any:
        target = {"_target_": "ganvas.data.image_folder.ImageFolder"}
        return confined({"data": target | node}, run)["data"].get("cache_dir")

    assert place(root=str(root)) == place(root=str(root), cache_dir=None) == str(cache)
    assert place(root=str(root), cache_dir=str(tmp_path / "other")) == str(cache)
    assert place(root=str(root), cache_dir=str(tmp_path / "new")) == str(cache)
    assert place(shards="x.tar") == str(cache)
    for own in (cache / "mine", run / "caches"):
        assert place(root=str(root), cache_dir=str(own)) == str(own)
    assert place(root=str(run / "images")) is None
    (tmp_path / "other" / f"{'0a' * 16}.npy").touch()
    assert place(root=str(root), cache_dir=str(tmp_path / "other")) == str(tmp_path / "other")
    (tmp_path / ".images.ganvas").mkdir()
    assert place(root=str(root)) is None
    assert confined({"data": {"_target_": "ganvas.data.digits.Digits"}}, run)["data"].keys() == {"_target_"}

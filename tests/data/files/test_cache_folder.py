from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data.files.cache_folder import beside, holds_caches, places
from ganvas.data.image_folder import ImageFolder
from ganvas.errors import OptionError


def test_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder of caches for all that ganvas keeps, GANVAS_CACHE's too."""
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "own"))
    assert places(tmp_path / "images", None) == [tmp_path / ".images.ganvas", tmp_path / "own"]
    assert places(tmp_path / "images", "/x") == [Path("/x")]
    monkeypatch.setenv("HOME", "/homes/me")
    assert places(tmp_path / "images", "~/x") == [Path("/homes/me/x")]
    with pytest.raises(OptionError, match=r"^cache_dir=~nosuchuser: there is no user"):
        places(tmp_path, "~nosuchuser")


def test_a_folder_that_holds_caches_is_told_from_others(tmp_path: Path) -> None:
    root, kept = tmp_path / "images", tmp_path / "kept"
    root.mkdir()
    for number in range(4):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(root / f"{number}.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "images.npy").touch()
    assert not any(map(holds_caches, (root, kept, tmp_path / "other", beside(root))))
    options = {"root": str(root), "batch_size": 1, "seed": 1, "channels": 1, "image_size": 8}
    ImageFolder(**options).prepare()
    ImageFolder(**options, cache_dir=str(kept)).prepare()
    assert holds_caches(beside(root))
    assert holds_caches(kept)


@pytest.mark.parametrize("option", ["root", "cache_dir"])
def test_nobodys_home_folder(option: str, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    named = {"root": str(tmp_path)} | {option: "~nosuchuser/x"}
    with pytest.raises(OptionError, match=f"^{option}=~nosuchuser/x: there is no user nosuchuser"):
        ImageFolder(**named, batch_size=1, seed=1, val_fraction=0, test_fraction=0).prepare()

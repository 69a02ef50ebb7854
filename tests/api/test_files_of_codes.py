"""``ganvas.encode`` and ``ganvas.decode`` are the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.cli.main import main

pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")


def test_files_of_codes_are_those_of_the_commands(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    original = np.random.default_rng(0).integers(0, 256, (9, 13), dtype=np.uint8)
    Image.fromarray(original).save("a.png")
    run = ganvas.load("b_vqvae", output_dir=outputs)
    found = ganvas.encode(run, ["a.png"], out="x.gvq", lossless=True)
    assert main(["encode", str(run.path), "a.png", "--lossless", "--out", "y.gvq"]) == 0
    content = Path("x.gvq").read_bytes()
    assert content == Path("y.gvq").read_bytes()
    assert found["bytes"] == len(content) == found["header"] + found["codes"] + found["residual"]
    assert found["bits_per_dim"] == pytest.approx(8 * len(content) / 117)
    assert found["sizes"] == [(9, 13)]
    (made,) = ganvas.decode("x.gvq", output_dir=outputs)
    assert torch.equal(made, torch.from_numpy(original)[None])
    few = ganvas.encode(run, split="test", num=3, out="x.gvq", overwrite=True)
    pictures = ganvas.decode(Path("x.gvq"), run)
    expected = run.reconstruct(next(iter(run.data.batches("test", 3, 3))).x).x
    assert (torch.stack(pictures) - (expected + 1) * 127.5).abs().max() < 0.51
    assert (few["images"], few["residual"]) == (3, 0)
    assert 5 < few["psnr"] < 60


def test_errors_name_the_arguments(outputs: Path, tmp_path: Path) -> None:
    run = ganvas.load("b_vqvae", output_dir=outputs)
    for words, match in (
        ({"files": "a.png"}, "^files=a.png: must be a list"),
        ({"split": "all"}, "^split=all: must be train"),
        ({"split": "test", "level": 2}, "^level=2: it has one level"),
        ({}, "^FILES=: names no files"),
    ):
        with pytest.raises(ganvas.OptionError, match=match):
            ganvas.encode(run, out=tmp_path / "x.gvq", **words)
    with pytest.raises(ganvas.OptionError, match=r"^FILE=.*x.gvq: cannot be read"):
        ganvas.decode(tmp_path / "x.gvq")
    assert not list(tmp_path.iterdir())

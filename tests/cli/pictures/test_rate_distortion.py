"""``ganvas plot --rate-distortion`` as a user runs it, on runs of digits."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, features
from refusal import refused

import ganvas as library
from ganvas.functional.images import to_float, to_uint8

_PLOT = ("plot", "--rate-distortion")


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open() as file:
        return list(csv.DictReader(file))


def test_runs_and_formats_of_the_same_images(ganvas: Any, runs: Path, outputs: Path) -> None:
    tokenizer = str(outputs / "train" / "b_vqvae")
    words = [tokenizer, str(runs / "residual"), str(runs / "row")]
    done = ganvas(*_PLOT, *words, "--num", "64", "--table", "x.csv", "--out", "x.png")
    table = rows("x.csv")
    points = {(row["curve"], row["setting"]): row for row in table}
    curves = list(dict.fromkeys(row["curve"] for row in table))
    assert curves == ["b_vqvae", "residual", "row", "JPEG", "JPEG 2000", "WebP", "AVIF"]
    assert [row["kind"] for row in table if row["curve"] in curves[:3]] == ["run"] * 5
    run: Any = library.load(outputs / "train" / "b_vqvae")
    x = to_float(run.data.split("test").x[:64])
    made = to_uint8(run.decode(run.encode(x))).double()
    mse = (made - run.data.split("test").x[:64].double()).square().mean().item()
    own = points["b_vqvae", "fixed length"]
    assert float(own["bits_per_image"]) == 8 * 8  # 8 codes of 256
    assert float(own["bits_per_pixel"]) == 1
    assert float(own["psnr"]) == pytest.approx(-10 * math.log10(mse / 255**2), abs=1e-6)
    assert float(points["residual", "levels=2"]["bits_per_image"]) == 2 * float(
        points["residual", "levels=1"]["bits_per_image"]
    )
    under, fixed = (points["row", setting] for setting in ("under the prior", "fixed length"))
    assert under["psnr"] == fixed["psnr"] == own["psnr"]
    assert 0 < float(under["bits_per_image"]) < 70
    assert done.stdout.endswith("x.csv\nx.png\n")
    assert f"{float(under['bits_per_image']):.1f}" in done.stdout
    with Image.open("x.png") as image:
        assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 50


def test_numbers_as_json_without_a_picture(ganvas: Any, runs: Path, tmp_path: Path) -> None:
    ganvas(*_PLOT, str(runs / "residual"), "--split", "val", "--num", "16", "--table", "x.json")
    found = json.loads(Path("x.json").read_text())
    assert found["data"]["split"] == "val"
    assert found["data"]["samples"] == 16
    assert [point["curve"] for point in found["points"][:3]] == ["residual", "residual", "JPEG"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_what_this_pillow_cannot_write_is_told(
    ganvas: Any, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature in ("jpg", "webp"))
    done = ganvas(*_PLOT, str(runs / "residual"), "--num", "9", "--table", "x.csv")
    why = "the Pillow that is installed does not write it; left out"
    assert done.stderr == f"JPEG 2000: {why}\nAVIF: {why}\n"
    assert {row["curve"] for row in rows("x.csv")} == {"residual", "JPEG", "WebP"}


def test_a_tokenizer_inside_a_prior_is_told_by_its_run(ganvas: Any, runs: Path) -> None:
    ganvas(*_PLOT, str(runs / "row" / "tokenizer"), "--num", "4", "--table", "x.csv")
    assert rows("x.csv")[0]["curve"] == "row/tokenizer"


@pytest.mark.parametrize(
    ("words", "key", "parts"),
    [
        (["a_gan"], "RUN", ["a_gan: has no codes to count; it must be the run of a VQ-VAE or of a prior"]),
        (["b_vqvae", "--tags", "loss/x"], "--tags", ["is of curves over examples; leave it out"]),
        (["b_vqvae", "--num", "0"], "--num", []),
        (["b_vqvae", "--num", "999999"], "--num", ["the test split holds"]),
        (["b_vqvae", "--out", "x.csv"], "--out", ["must end in .png, .pdf or .svg"]),
        (["b_vqvae", "--table", "x.png"], "--table", ["must end in .csv or .json"]),
        (["b_vqvae", "{runs}/larger"], "RUN", ["holds other samples than b_vqvae's"]),
        (["{toy}"], "RUN", ["has no codes to count"]),
    ],
)
def test_bad_input(
    words: list[str], key: str, parts: list[str], ganvas: Any, runs: Path, outputs: Path, toy: Path, tmp_path
) -> None:
    filled = [word.format(runs=runs, toy=toy) for word in words]
    line = [*_PLOT, *filled, "--output-dir", str(outputs)]
    given = refused(ganvas, tmp_path, line, key)
    assert all(part in given for part in parts)


@pytest.mark.parametrize(
    "words", [["--split", "test"], ["--num", "4"], ["--table", "x.csv"], ["--allow-places"]]
)
def test_options_of_rates_are_refused_of_curves(words: list[str], ganvas: Any, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["plot", "a", *words], words[0], "is of --rate-distortion")


def test_an_encoder_that_is_not_finite_is_one_line(ganvas: Any, runs: Path, tmp_path: Path) -> None:
    import shutil

    from ganvas.run.folder.checksum import sha256_of

    shutil.copytree(runs / "residual", "broken")
    (path,) = Path("broken/checkpoints").glob("*.ckpt")
    state = torch.load(path, weights_only=True)
    state["state_dict"]["encoder.layers.1.weight"] *= math.nan
    torch.save(state, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
    told = ganvas(*_PLOT, "broken", code=2).stderr
    assert "not finite" in told
    assert told.count("\n") == 1


def test_without_matplotlib_the_numbers_are_still_there(
    ganvas: Any, runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = [*_PLOT, str(runs / "residual"), "--num", "4"]
    refused(ganvas, tmp_path, words, "command", "=plot: needs matplotlib", "pip install 'ganvas[plot]'")
    ganvas(*words, "--table", "x.csv")
    assert rows("x.csv")

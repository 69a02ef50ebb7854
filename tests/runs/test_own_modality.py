"""Samples of a kind that the project has never heard of: series of 16 bits, from files of a user's alone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest
from run_files import only_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

_SOURCE = '''
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading.stored import Stored
from ganvas.modality.interface import Clip, Measure, Modality


class Series(Modality):
    """float32 [B, T] in [-1, 1], stored int16 [N, T]."""

    name, plural, endings, sheets = "series", "series", (".csv",), (".png", ".csv")
    reports = {"largest_error": "min", "bits_per_series": None, "bits_per_step": None}

    def wrong_with(self, stored):
        return None if stored.dtype == torch.int16 and stored.ndim == 2 else "must be int16 [N, T]"

    def to_model(self, stored):
        return stored.float() / 32767

    def to_stored(self, x):
        return (x.clamp(-1, 1) * 32767).round().to(torch.int16)

    def pictures(self, x):
        rows = ((1 - x.detach().cpu().clamp(-1, 1)) * 15.5).round().long()  # [B, T] in [0, 31]
        return torch.zeros(len(x), 1, 32, x.shape[1], dtype=torch.uint8).scatter_(2, rows[:, None, None], 255)

    def clips(self, x):
        return [Clip(one[None].cpu(), 100) for one in x]

    def write(self, file, ending, stored):
        file.write(",".join(str(one) for one in stored.tolist()).encode())

    def write_several(self, file, ending, stored, beside=None):
        for one in stored:
            self.write(file, ending, one)
            file.write(b"\\n")

    def read(self, path):
        return torch.tensor([int(one) for one in path.read_text().split(",")], dtype=torch.int16)

    def units(self, shape):
        return {"bits_per_step": shape[0]}

    def measures(self, shape):
        return [Measure("largest_error", "min", {"of": "a series"}, lambda x, y: (x - y).abs().amax(1))]


@dataclass(kw_only=True, eq=False, repr=False)
class OwnSeries(TensorDataModule):
    length: int = 16
    resize_mode: str = field(default="auto", init=False)
    horizontal_flip: bool = field(default=False, init=False)
    random_shift: int = field(default=0, init=False)

    @property
    def modality(self):
        return Series()

    def load(self):
        generator = torch.Generator().manual_seed(1)
        phase = torch.rand(200, 1, generator=generator) * 6.3
        x = (torch.sin(phase + torch.arange(self.length) / 3) * 30000).to(torch.int16)
        parts = {"train": x[:160], "val": x[160:180], "test": x[180:]}
        return {name: Stored(part, None) for name, part in parts.items()}
'''
_YAML = """
    _target_: series.OwnSeries
    _shared_: [sample_shape]
    length: 16
    batch_size: 20
    num_workers: 0
    seed: ${seed}
    channels: null
    image_size: null
    sample_shape: ["${data.length}"]
    num_classes: null
    train_fraction: 1.0
"""


def test_every_command_takes_them(ganvas, tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "data"
    folder.mkdir(parents=True)
    (folder / "series.py").write_text(_SOURCE)
    (folder / "series.yaml").write_text(textwrap.dedent(_YAML))
    own = ("--config-dir", "conf")
    words = "data=series trainer.max_examples=400"
    ganvas("train", *own, "model=mlp_vqvae", "name=codes", *words.split())
    run = only_run(tmp_path)

    assert (run / "samples" / "000000000400.png").exists()
    assert len((run / "samples" / "000000000400.csv").read_text().splitlines()) == 20
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert "samples" in board.Tags()["images"]
    assert {"samples/0_original", "samples/0_reconstruction"} <= set(board.Tags()["audio"])
    assert board.Audio("samples/0_original")[0].sample_rate == 100

    found = json.loads(ganvas("evaluate", str(run), *own, "--json").stdout)
    metrics = found["metrics"]
    assert "psnr" not in metrics
    assert 0 < metrics["largest_error"] < 2
    assert metrics["bits_per_step"] == metrics["bits_per_series"] / 16

    ganvas("reconstruct", str(run), *own, "--num", "4", "--out", "pairs.npz")
    arrays = np.load(tmp_path / "pairs.npz")
    assert arrays["series"].dtype == arrays["originals"].dtype == np.int16
    error = np.abs(arrays["series"].astype(int) - arrays["originals"]).max(1).mean() / 32767
    ganvas("reconstruct", str(run), *own, "--num", "4", "--out", "pairs.csv")
    written = [row.split(",") for row in (tmp_path / "pairs.csv").read_text().splitlines()]
    assert np.array_equal(np.array(written, int), arrays["series"])
    assert 0 < error < 2
    ganvas("codes", str(run), *own, "--out", "codes.png")

    refused = ganvas("reconstruct", str(run), *own, "--num", "4", "--scale", "2", code=2)
    assert refused.stderr.startswith("--scale=2: is of images")
    _code_files(ganvas, str(run), own)
    _complete(ganvas, str(run), own)
    _draw_rates(ganvas, str(run), own, metrics)


def _complete(ganvas, run: str, own: tuple[str, ...]) -> None:
    """A prior over their codes: a half, and a beginning from a file, are completed."""
    prior = "model.prior.width=16 model.prior.depth=1 model.prior.heads=2"
    short = "trainer.max_examples=40 callback=none logger=none accelerator=cpu paths.run_dir=prior"
    words = f"model=autoregressive data=codes data.tokenizer={run} {prior} {short}"
    ganvas("train", *own, *words.split())
    complete = ("pictures", "prior", *own, "--kind", "complete", "--completions", "3")
    ganvas(*complete, "--num", "2", "--out", "halves.npz")
    arrays = np.load("halves.npz")
    assert arrays["series"].shape == (2, 3, 16)
    assert arrays["known"].tolist() == [True] * 4 + [False] * 4
    ganvas(*complete, "--num", "2", "--out", "halves.csv")
    rows = [[int(one) for one in row.split(",")] for row in Path("halves.csv").read_text().splitlines()]
    cells = np.array(rows).reshape(2, 6, 16)
    assert np.array_equal(cells[:, 0], arrays["originals"])
    assert not cells[:, 2, 8:].any()
    assert np.array_equal(cells[:, 3:], arrays["series"])
    Path("short.csv").write_text("1,2000,3,-4000,5")  # of sixteen, and a code stands for two
    ganvas(*complete, "--beginning", "short.csv", "--out", "begun.npz")
    assert np.load("begun.npz")["known"].tolist() == [True] * 2 + [False] * 6
    ganvas("pictures", "prior", *own, "--num", "2", "--out", "warm/")
    assert len(list(Path("warm").iterdir())) == 2 * 5
    assert (Path("warm") / "000000-temperature-0.5-sample-0.csv").exists()


def _code_files(ganvas, run: str, own: tuple[str, ...]) -> None:
    """A file of one and a half lengths, and how it is told."""
    pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")
    series = (np.sin(np.arange(24) / 3) * 20000).astype(np.int16)
    Path("long.csv").write_text(",".join(str(one) for one in series))
    said = ganvas("encode", run, "long.csv", *own, "--out", "long.gvq").stdout
    size = 8 * Path("long.gvq").stat().st_size
    assert "1 series of 24 samples" in said
    assert f"{size:.2f} bits a series" in said
    assert f"{size / 24:.4g} bits per step" in said
    assert "largest_error" in said
    refused = ganvas("encode", run, "long.csv", *own, "--lossless", "--out", "x.gvq", code=2)
    assert refused.stderr.startswith("--lossless=True: is of pictures, and the run's samples are series")
    ganvas("decode", "long.gvq", run, *own, "--out", "made")
    made = [int(one) for one in Path("made", "000000.csv").read_text().split(",")]
    assert len(made) == 24
    ganvas("decode", "long.gvq", run, *own, "--out", "made.npz")
    assert np.load("made.npz")["series"].tolist() == [made]


def _draw_rates(ganvas, run: str, own: tuple[str, ...], metrics: dict[str, float]) -> None:
    """By the kind's first unit against its measures; no format of files is beside it."""
    pytest.importorskip("matplotlib", reason="the extra ganvas[plot] is not installed")
    ganvas("plot", "--rate-distortion", run, *own, "--out", "rates.png", "--table", "rates.json")
    points = json.loads(Path("rates.json").read_text())["points"]
    assert {point["kind"] for point in points} == {"run"}
    assert points[-1]["bits_per_step"] == metrics["bits_per_step"]
    assert abs(points[-1]["largest_error"] - metrics["largest_error"]) < 1e-3
    assert Path("rates.png").stat().st_size > 5000


_MAPS = """
from ganvas.data.digits import Digits
from ganvas.modality.image import Image


class Map(Image):
    name, plural = "map", "maps"
    reports = {"psnr": "max", "ssim": "max", "bits_per_map": None, "bits_per_pixel": None}


class Maps(Digits):
    @property
    def modality(self):
        return Map()
"""
_MAPS_YAML = """
    defaults: [digits, _self_]
    _target_: maps.Maps
"""


def test_a_kind_with_pixels_is_coded_without_loss(ganvas, tmp_path: Path) -> None:
    """A user's own kind of images, by another name."""
    pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")
    folder = tmp_path / "conf" / "data"
    folder.mkdir(parents=True)
    (folder / "maps.py").write_text(_MAPS)
    (folder / "maps.yaml").write_text(textwrap.dedent(_MAPS_YAML))
    own = ("--config-dir", "conf")
    ganvas("train", *own, "data=maps", "model=mlp_vqvae", *"trainer=smoke callback=none logger=none".split())
    run = str(only_run(tmp_path))
    ganvas("encode", run, *own, "--split", "test", "--num", "3", "--lossless", "--out", "x.gvq")
    ganvas("decode", "x.gvq", run, *own, "--out", "made.npz")
    ganvas("reconstruct", run, *own, "--num", "3", "--out", "pairs.npz")
    originals = np.load("pairs.npz")["originals"]
    assert originals.shape == (3, 8, 8, 1)
    assert np.array_equal(np.load("made.npz")["maps"], originals)
    ganvas("reconstruct", run, *own, "--num", "3", "--scale", "2", "--out", "pairs.png")


def test_samples_are_files_of_their_own(ganvas, tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "data"
    folder.mkdir(parents=True)
    (folder / "series.py").write_text(_SOURCE)
    (folder / "series.yaml").write_text(textwrap.dedent(_YAML))
    own = ("--config-dir", "conf")
    words = "data=series trainer=smoke callback=minimal logger=none"
    ganvas("train", *own, "model=mlp_gan", *words.split())
    run = str(only_run(tmp_path))
    ganvas("sample", run, *own, "--num", "3", "--out", "made/")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        f"00000{number}.csv" for number in range(3)
    ]
    ganvas("sample", run, *own, "--num", "3", "--out", "made.npz")
    first = (tmp_path / "made" / "000000.csv").read_text().split(",")
    assert np.load(tmp_path / "made.npz")["series"][0].tolist() == [int(one) for one in first]
    ganvas("interpolate", run, *own, "--num", "2", "--out", "between.png")
    ganvas("neighbours", run, *own, "--num", "2", "--out", "near.npz")

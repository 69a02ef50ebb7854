"""``ganvas plot --rate-distortion`` of a codec of sounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from refusal import refused

import ganvas as library
from ganvas.cli.main import main
from ganvas.cli.pictures.clip_rates import Understood
from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.perceptual.stoi import STOI
from ganvas.metric.rate_distortion.sound_codecs import CODECS, coded_again, measure
from ganvas.modality.sound import Sound

pytest.importorskip("matplotlib", reason="the extra ganvas[plot] is not installed")
Ganvas = Callable[..., Any]


def speech(count: int, pitch: float) -> np.ndarray:
    t = np.arange(count) / 8000
    return (0.4 * np.sin(2 * np.pi * pitch * t) * (1 + np.sin(2 * np.pi * 3 * t))).astype(np.float32)


def test_a_point_is_what_its_files_take(tmp_path: Path) -> None:
    kind = Sound(8000, 1)
    sounds = [kind.to_stored(torch.from_numpy(speech(count, 220))[None]) for count in (4000, 12000)]
    few, many = (measure(sounds, kind, CODECS[0], level) for level in (1.0, 0.92))
    sizes, file = [], tmp_path / "x.ogg"
    for sound in sounds:
        soundfile.write(file, sound[0].numpy(), 8000, format="OGG", subtype="OPUS", compression_level=1.0)
        sizes.append(file.stat().st_size)
    assert few.bits == pytest.approx(8 * sum(sizes) / 1000 / 2, rel=1e-6)
    assert few.bits < many.bits
    assert few.distances["log_mel_distance_db"] > many.distances["log_mel_distance_db"]
    assert few.distances["si_sdr_db"] < many.distances["si_sdr_db"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A codec of sounds of 0.64 seconds, of which one is held out."""
    folder = tmp_path_factory.mktemp("codec")
    (folder / "sounds").mkdir()
    for number in range(10):
        soundfile.write(folder / "sounds" / f"{number}.wav", speech(5120, 150 + 30 * number), 8000)
    codec = "model=sound_vqvae model/reconstruction_loss=l1 model.quantizer.levels=2 model.num_embeddings=8"
    small = "model.embedding_dim=4 model.encoder.base_channels=4 model.decoder.base_channels=4"
    data = f"data=sound_folder data.root={folder}/sounds data.rate=8000 data.crop_length=1280"
    quiet = f"data.batch_size=4 trainer.max_examples=8 callback=none logger=none paths.run_dir={folder}/run"
    assert main(["train", *codec.split(), *small.split(), *data.split(), *quiet.split()]) == 0
    return f"{folder}/run"


def test_levels_of_a_codec_beside_formats(run: str, ganvas: Ganvas, tmp_path: Path) -> None:
    said = ganvas("plot", "--rate-distortion", run, "--out", "rates.png", "--table", "rates.json").stdout
    assert (tmp_path / "rates.png").stat().st_size > 10_000
    found = json.loads((tmp_path / "rates.json").read_text())
    own = {one["setting"]: one for one in found["points"] if one["curve"] == "run"}
    # 5,120 samples are 4 clips of 4 places, each of 3 bits a level
    assert own["levels=1"]["kilobits_per_second"] == pytest.approx(4 * 4 * 3 / 1000 / 0.64)
    assert own["levels=2"]["kilobits_per_second"] == 2 * own["levels=1"]["kilobits_per_second"]
    assert {one["curve"] for one in found["points"]} == {"run", "Opus", "Vorbis"}
    assert "log_mel_distance_db" in said
    assert "stoi" not in said


@pytest.mark.slow
def test_how_well_speech_is_understood_is_measured_beside(run: str, ganvas: Ganvas) -> None:
    """Of a format by the metric itself, of a run as an evaluation has it."""
    pytest.importorskip("pystoi", reason="the extra ganvas[sound] is not installed")
    ganvas("plot", "--rate-distortion", run, "--stoi", "--table", "x.json")
    points = json.loads(Path("x.json").read_text())["points"]
    ganvas("plot", "--rate-distortion", run, "--table", "y.json")
    without = json.loads(Path("y.json").read_text())["points"]
    assert [{key: one[key] for key in one if key != "stoi"} for one in points] == without
    loaded: Any = library.load(run)
    (whole,) = (batch.x for batch in loaded.data.wholes("test", 1))
    kind, stoi = loaded.data.modality, STOI()
    stoi.check(loaded.data.facts())
    made, _ = coded_again(kind.to_stored(whole)[0], 8000, CODECS[0], 0.98)
    stoi.update(original=whole, reconstruction=kind.to_model(made[None]))
    (opus,) = [one for one in points if (one["curve"], one["setting"]) == ("Opus", "level 0.98")]
    assert opus["stoi"] == pytest.approx(float(stoi.compute()["stoi"]), abs=1e-9)
    assert 0.3 < opus["stoi"] < 1
    words = ("metric/perceptual=stoi", "--split", "test", "--json")
    found = json.loads(ganvas("evaluate", run, *words).stdout)["metrics"]["stoi"]
    (own,) = [one["stoi"] for one in points if one["setting"] == "levels=2"]
    assert own == pytest.approx(found, abs=0.02)  # there by float32, and in one piece


def test_stoi_is_of_speech(ganvas: Ganvas, outputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("pystoi", reason="the extra ganvas[sound] is not installed")
    line = ["plot", "--rate-distortion", f"{outputs}/train/b_vqvae", "--stoi", "--table", "x.csv"]
    refused(ganvas, tmp_path, line, "--stoi", "=True: is of speech, and b_vqvae has images; leave it out")
    line = ["plot", f"{outputs}/train/b_vqvae", "--stoi"]
    refused(ganvas, tmp_path, line, "--stoi", "=: is of --rate-distortion")
    tones = Understood(DataFacts([1, 800], None, "", "Tones", modality=Sound(8000, 1)))
    tones.take(torch.ones(1, 800, dtype=torch.int16), torch.ones(1, 800, dtype=torch.int16))
    with pytest.raises(OptionError, match=r"none of these sounds holds 0\.4 seconds of it"):
        tones.values()
    with pytest.raises(OptionError, match=r"^--stoi=True: takes sounds of 8,000 to 48,000.*; leave it out$"):
        Understood(DataFacts([1, 800], None, "", "Slow", modality=Sound(4000, 1)))

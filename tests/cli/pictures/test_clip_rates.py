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

from ganvas.metric.rate_distortion.sound_codecs import CODECS, measure
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


def test_levels_of_a_codec_beside_formats(ganvas: Ganvas, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    for number in range(10):
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", speech(4000, 150 + 30 * number), 8000)
    codec = "model=sound_vqvae model/reconstruction_loss=l1 model.quantizer.levels=2 model.num_embeddings=8"
    small = "model.embedding_dim=4 model.encoder.base_channels=4 model.decoder.base_channels=4"
    data = "data=sound_folder data.root=sounds data.rate=8000 data.crop_length=1280 data.batch_size=4"
    quiet = "trainer.max_examples=8 callback=none logger=none paths.run_dir=run"
    ganvas("train", *codec.split(), *small.split(), *data.split(), *quiet.split())
    said = ganvas("plot", "--rate-distortion", "run", "--out", "rates.png", "--table", "rates.json").stdout
    assert (tmp_path / "rates.png").stat().st_size > 10_000
    found = json.loads((tmp_path / "rates.json").read_text())
    own = {one["setting"]: one for one in found["points"] if one["curve"] == "run"}
    # 4,000 samples are 4 clips of 4 places, each of 3 bits a level
    assert own["levels=1"]["kilobits_per_second"] == pytest.approx(4 * 4 * 3 / 1000 / 0.5)
    assert own["levels=2"]["kilobits_per_second"] == 2 * own["levels=1"]["kilobits_per_second"]
    assert {one["curve"] for one in found["points"]} == {"run", "Opus", "Vorbis"}
    assert "log_mel_distance_db" in said

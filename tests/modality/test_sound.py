from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ganvas.errors import OptionError
from ganvas.modality.interface import Measure
from ganvas.modality.sound import Sound


def sine(hertz: float, rate: int = 8000, length: int = 8000, level: float = 0.5) -> torch.Tensor:
    """float32 [1, length]."""
    return level * torch.sin(2 * torch.pi * hertz * torch.arange(length) / rate)[None]


def test_all_16_bit_values_come_back_to_the_bit():
    kind = Sound(8000, 1)
    stored = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(2, 1, -1)
    x = kind.to_model(stored)
    assert x.dtype is torch.float32
    assert (float(x.min()), float(x.max())) == (-1, 32767 / 32768)
    assert torch.equal(kind.to_stored(x), stored)


def test_what_is_beyond_is_clamped_and_what_lies_between_is_rounded():
    x = torch.tensor([[[2.0, -2.0, 1.0, 1.6 / 32768, -1.6 / 32768, float("nan"), float("inf")]]])
    assert Sound(8000, 1).to_stored(x).tolist() == [[[32767, -32768, 32767, 2, -2, 0, 32767]]]


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (torch.zeros(2, 1, 4), "must be int16"),
        (torch.zeros(2, 4, dtype=torch.int16), "must be int16"),
        (torch.zeros(2, 3, 4, dtype=torch.int16), "has 3 channels and must have 2"),
        (torch.zeros(2, 2, 0, dtype=torch.int16), "no samples"),
    ],
)
def test_what_is_no_sound(stored, says):
    assert says in (Sound(8000, 2).wrong_with(stored) or "")
    assert Sound(8000, 2).wrong_with(torch.zeros(2, 2, 4, dtype=torch.int16)) is None


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_files_hold_the_samples_to_the_bit(tmp_path: Path, ending):
    stored = torch.randint(-(2**15), 2**15, (2, 999), generator=torch.manual_seed(1)).to(torch.int16)
    path = tmp_path / f"a{ending}"
    with path.open("w+b") as file:
        Sound(11025, 2).write(file, ending, stored)
    info = soundfile.info(str(path))
    assert (info.samplerate, info.channels, info.subtype) == (11025, 2, "PCM_16")
    assert torch.equal(Sound(11025, 2).read(path), stored)


def test_several_in_one_file_with_silence_between():
    kind, file = Sound(1000, 1), io.BytesIO()
    stored, beside = torch.tensor([[[1, 2]], [[3, 4]]]).short(), torch.tensor([[[5, 6]], [[7, 8]]]).short()
    kind.write_several(file, ".wav", stored, beside)
    file.seek(0)
    x, rate = soundfile.read(file, dtype="int16")
    assert rate == 1000
    assert x.reshape(4, 252)[:, :2].tolist() == [[1, 2], [5, 6], [3, 4], [7, 8]]
    assert not x.reshape(4, 252)[:, 2:].any()


def test_a_file_of_any_rate_and_channels_is_read_as_the_kind_has_it(tmp_path: Path):
    wave = sine(440, 44100, 44100)[0].numpy()
    soundfile.write(tmp_path / "a.flac", np.stack([wave, np.zeros_like(wave)], 1), 44100)
    stored = Sound(8000, 1).read(tmp_path / "a.flac")
    assert (stored.dtype, stored.shape) == (torch.int16, (1, 8000))
    want = sine(440, 8000, 8000, level=0.25)
    assert (stored / 32768 - want)[:, 200:-200].abs().max() < 2e-3
    assert Sound(16000, 2).read(tmp_path / "a.flac").shape == (2, 16000)


def test_a_file_that_is_none(tmp_path: Path):
    (tmp_path / "a.wav").write_text("no sound at all, but a text")
    with pytest.raises(ValueError, match="no sound of a kind that can be read"):
        Sound(8000, 1).read(tmp_path / "a.wav")


def test_a_tone_is_a_bright_row_at_its_frequency():
    picture = Sound(8000, 1).pictures(torch.stack([sine(1000), sine(3000, level=0.05)]))
    assert (picture.shape, picture.dtype) == ((2, 1, 160, 256), torch.uint8)
    spectrum = picture[:, 0, 32:, 20:-20].float()
    rows = 127 - spectrum.mean(2).argmax(1)  # upwards: row r holds (r + 1) * 4000 / 128 Hz
    assert (rows - torch.tensor([1000, 3000]) * 128 // 4000).abs().max() <= 1
    levels = spectrum.amax(1).median(1).values / 255 * 80 - 80  # dB
    assert (levels - torch.tensor([-6.02, -26.02])).abs().max() < 1
    wave = picture[:, 0, :32]
    assert [int((one.amax(1) > 0).sum()) for one in wave] == [16, 2]  # half of the height; nearly nothing


@pytest.mark.parametrize("length", [1, 7, 100, 300, 20_000])
def test_silence_and_no_numbers_are_drawn(length):
    x = torch.stack([torch.zeros(2, length), torch.full((2, length), float("nan"))])
    picture = Sound(16000, 2).pictures(x)
    assert picture.shape == (2, 1, 160, 256)
    assert not picture[:, :, 32:].any()
    assert torch.equal(picture[0], picture[1])
    assert (picture[:, 0, :32].amax(2) > 0).sum(1).tolist() == [1, 1]  # a line at zero


def test_clips_are_finite_and_have_their_rate():
    (clip,) = Sound(22050, 1).clips(torch.tensor([[[0.5, float("nan"), 3.0]]]))
    assert (clip.x.tolist(), clip.rate) == ([[0.5, 0, 1]], 22050)


def test_bits_of_a_clip_in_kilobits_a_second():
    (divisor,) = Sound(8000, 1).units([1, 4000]).values()
    assert 750 / divisor == 1.5  # 750 bits in half a second


def measure(kind: Sound, name: str) -> Measure:
    (found,) = [one for one in kind.measures([1, 8000]) if one.name == name]
    return found


def test_si_sdr_is_of_the_reconstruction_to_the_original():
    x, noise = sine(440).double(), sine(1000).double()
    of = measure(Sound(8000, 1), "si_sdr_db").of
    value = of(x[None], (3 * x + 0.3 * noise)[None])
    assert abs(float(value) - 20) < 1e-6  # noise of a tenth, orthogonal, whatever the scale
    assert float(of(torch.stack([x, x]), torch.stack([x, 2 * x]))[1]) > 90


def test_spectral_distances_are_none_of_equals_and_grow():
    kind = Sound(8000, 1)
    x = sine(440).double()[None]
    for name in ("log_mel_distance_db", "multi_resolution_stft_distance"):
        one = measure(kind, name)
        assert one.better == "min"
        near, far = one.of(x, x * 0.9), one.of(x, x * 0.1)
        assert 0 <= float(one.of(x, x)) < 1e-100
        assert 0 < float(near) < float(far)


def test_the_multi_resolution_distance_takes_its_share_of_the_originals_norm():
    one = measure(Sound(8000, 1), "multi_resolution_stft_distance")
    x = torch.randn(1, 1, 8000, generator=torch.manual_seed(2)).double() * 0.1
    # convergence |1 - 2|, log magnitude ln 2; the other way round convergence is 1/2
    assert abs(float(one.of(x, 2 * x)) - (1 + np.log(2))) < 1e-3
    assert abs(float(one.of(2 * x, x)) - (0.5 + np.log(2))) < 1e-3


def test_what_is_measured_and_reported_agree():
    kind = Sound(44100, 1)
    measures = {one.name: one.better for one in kind.measures([1, 8000])}
    units = {"bits_per_sound": None} | dict.fromkeys(kind.units([1, 8000]))
    assert kind.reports == measures | units
    mel = measure(kind, "log_mel_distance_db").protocol
    assert (mel["window"], mel["hop"], mel["bands"], mel["high_hz"]) == (1024, 256, 64, 22050)


@pytest.mark.parametrize(("rate", "channels", "option"), [(0, 1, "rate"), (8000, 0, "channels")])
def test_arguments_out_of_range(rate, channels, option):
    with pytest.raises(OptionError) as caught:
        Sound(rate, channels)
    assert caught.value.option == option

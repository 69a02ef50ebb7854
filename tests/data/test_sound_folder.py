from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ganvas.data.sound_folder import SoundFolder
from ganvas.errors import OptionError


def steps(count: int, first: int = 1, channels: int = 1) -> np.ndarray:
    """int16 [count, channels]: first, first + 1, ...; the second channel is negative."""
    signs = np.where(np.arange(channels) % 2, -1, 1)
    return ((first + np.arange(count))[:, None] * signs).astype(np.int16)


def write(path: Path, samples: np.ndarray, rate: int = 8000, **how) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as file:
        soundfile.write(file, samples, rate, format=how.pop("format", "WAV"), **how)


def make(root: Path, **options) -> SoundFolder:
    defaults = {"batch_size": 1, "crop_length": 8, "val_fraction": 0.0, "test_fraction": 0.0}
    return SoundFolder(root=str(root), **(defaults | options))


def stored(module: SoundFolder, name: str = "train") -> list[list[int]]:
    """Samples of each clip, of the first channel."""
    return module.split(name).x[:][:, 0].tolist()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "sounds"


def refused(root: Path, **options) -> str:
    with pytest.raises(OptionError) as caught:
        make(root, **options).prepare()
    text = str(caught.value)
    assert "\n" not in text
    assert not list(root.parent.glob("**/*.npy")), "nothing is written"
    return text


# ---- clips ----


def test_clips_lie_side_by_side_and_the_last_is_filled_up(root):
    write(root / "a.wav", steps(20))
    write(root / "b.wav", steps(8, first=101))
    write(root / "c.wav", steps(3, first=201))
    module = make(root)
    assert stored(module) == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [9, 10, 11, 12, 13, 14, 15, 16],
        [17, 18, 19, 20, 0, 0, 0, 0],
        [101, 102, 103, 104, 105, 106, 107, 108],
        [201, 202, 203, 0, 0, 0, 0, 0],
    ]
    assert module.sample_shape == (1, 8)
    assert module.modality.wrong_with(module.split("train").x[:]) is None
    batches = list(module.batches("train", 2))
    assert [batch.x.shape for batch in batches] == [(2, 1, 8), (2, 1, 8), (1, 1, 8)]
    assert batches[0].x.dtype is torch.float32
    assert batches[1].x[0, 0].tolist() == [17 / 32768, 18 / 32768, 19 / 32768, 20 / 32768, 0, 0, 0, 0]
    assert sum(len(batch.x) for batch in module.batches("train", 2, limit=3)) == 3
    assert "1 of 3 training files are shorter than data.crop_length=8, and are filled up" in module.notes[-1]


def test_whole_files_one_by_one(root):
    write(root / "x" / "a.wav", steps(20, channels=2))
    write(root / "y" / "b.wav", steps(3, first=101, channels=2))
    module = make(root, channels=2)
    wholes = list(module.wholes("train", 4))
    assert [batch.x.shape for batch in wholes] == [(1, 2, 20), (1, 2, 3)]
    assert (wholes[1].x * 32768)[0].tolist() == [[101, 102, 103], [-101, -102, -103]]
    assert [batch.label.tolist() for batch in wholes] == [[0], [1]]
    assert len(list(module.wholes("train", 4, limit=1))) == 1


def drawn(module: SoundFolder, epochs: int = 1, **loader) -> list[list[int]]:
    """First samples of the clips of whole epochs, in the order of their rows."""
    found = []
    for epoch in range(epochs):
        training = module._loader("train")
        training.order.position = lambda epoch=epoch: (epoch, loader.get("first", 0))
        batches = list(training)
        rows = torch.cat([batch.row for batch in batches])
        firsts = torch.cat([batch.x for batch in batches])[:, 0, 0]
        found.append(firsts[rows.argsort()].tolist())
        training.close()
    return found


def test_training_clips_begin_anywhere_in_their_file_and_anew_each_epoch(root):
    write(root / "a.wav", steps(20))  # three clips, from places 0 to 12
    write(root / "b.wav", steps(8, first=101))  # one
    write(root / "c.wav", steps(2, first=201))
    module = make(root, seed=3)
    epochs = drawn(module, epochs=200)
    assert epochs == drawn(make(root, seed=3), epochs=200)
    assert epochs[:5] != drawn(make(root, seed=4), epochs=5)
    assert all(epoch[3:] == [101, 201] for epoch in epochs)
    firsts = torch.tensor([epoch[:3] for epoch in epochs])
    counts = torch.bincount(firsts.flatten() - 1, minlength=13)
    assert len(counts) == 13
    assert (counts - 600 / 13).abs().max() < 4 * (600 / 13) ** 0.5  # uniform within 4 sigma
    assert len(firsts.unique(dim=0)) > 150


def test_training_clips_are_whole_pieces_of_their_file(root):
    write(root / "a.wav", steps(20))
    write(root / "c.wav", steps(2, first=201))
    for batch in make(root).train_dataloader():
        x = batch.x[0, 0]
        assert x.tolist() == (
            [201, 202] + [0] * 6 if batch.row == 3 else list(range(int(x[0]), int(x[0]) + 8))
        )


@pytest.mark.slow  # starts processes
def test_workers_hand_out_the_same(root):
    write(root / "a.wav", steps(200))
    here = [(batch.row.tolist(), batch.x.tolist()) for batch in make(root, batch_size=4).train_dataloader()]
    module = make(root, batch_size=4, num_workers=2)
    assert [(batch.row.tolist(), batch.x.tolist()) for batch in module.train_dataloader()] == here
    module.teardown("fit")


def test_two_ranks_see_together_what_one_sees(root, monkeypatch):
    write(root / "a.wav", steps(200))
    module = make(root, batch_size=4)
    alone = [batch.x for batch in module.train_dataloader()]
    monkeypatch.setattr("ganvas.data.loading.loader.world_size", lambda: 2)
    parts = []
    for me in (0, 1):
        monkeypatch.setattr("ganvas.data.loading.loader.rank", lambda me=me: me)
        parts.append([batch.x for batch in module.train_dataloader()])
    assert [len(part) for part in parts] == [len(alone)] * 2
    assert all(torch.equal(torch.cat(pair), one) for *pair, one in zip(*parts, alone))


def test_a_resumed_epoch_goes_on_to_the_bit(root):
    write(root / "a.wav", steps(200))
    module = make(root, batch_size=4)
    whole = list(module.train_dataloader())
    loader = module._loader("train")
    loader.order.position = lambda: (0, 2)
    assert all(torch.equal(one.x, other.x) for one, other in zip(loader, whole[2:], strict=True))


def test_a_batch_becomes_float_on_its_device(root):
    write(root / "a.wav", np.array([[-32768], [32767]] * 4, np.int16))
    module = make(root)
    (stored_batch,) = module.train_dataloader()
    batch = module.on_after_batch_transfer(stored_batch, 0)
    assert stored_batch.x.dtype is torch.int16
    assert batch.x[0, 0, :2].tolist() == [-1, 32767 / 32768]


# ---- splits, classes, identity ----


def test_splits_are_of_files_and_classes_of_folders(root):
    for number in range(10):
        write(root / ("dog" if number % 2 else "cat") / f"{number}.wav", steps(16, first=100 * number + 1))
    module = make(root, val_fraction=0.2, test_fraction=0.2)
    assert [module.num_samples(name) for name in ("train", "val", "test")] == [12, 4, 4]
    assert (module.class_names, module.num_classes) == (["cat", "dog"], 2)
    seen = []
    for name in ("train", "val", "test"):
        for clip, label in zip(stored(module, name), module.split(name).label.tolist(), strict=True):
            seen.append(clip[0])
            assert label == clip[0] // 100 % 2
    assert sorted(seen) == sorted(100 * number + first for number in range(10) for first in (1, 9))
    files = {clip[0] // 100 for clip in stored(module)}
    assert not files & {clip[0] // 100 for clip in stored(module, "val")}


def test_folders_of_splits(root):
    write(root / "train" / "a.wav", steps(8))
    write(root / "Valid" / "b.wav", steps(8, first=50))
    module = make(root)
    assert stored(module, "val") == [list(range(50, 58))]


def test_a_share_of_the_training_files(root):
    for number in range(8):
        write(root / f"{number}.wav", steps(24, first=100 * number + 1))
    module = make(root, train_fraction=0.5)
    assert module.num_samples("train") == 12
    assert len({clip[0] // 100 for clip in stored(module)}) == 4
    assert "4 of 8 training files" in module.notes[-1]
    assert module.facts().train_sha256 == make(root).facts().train_sha256
    assert "fewer than batch_size=9" in refused_options(root, train_fraction=0.3, batch_size=9)


def refused_options(root: Path, **options) -> str:
    with pytest.raises(OptionError) as caught:
        make(root, **options).prepare()
    return str(caught.value)


def test_what_the_data_are_is_told(root):
    write(root / "a" / "a.wav", steps(20))
    write(root / "b" / "b.wav", steps(8, first=101))
    module = make(root)
    told = module.describe_split("train")
    assert (told["samples"], told["sample_shape"], told["rate"]) == (4, [1, 8], 8000)
    assert module.describe_split("train", 2)["sha256"] != told["sha256"]
    assert module.fingerprint()["splits"]["train"] == {"count": 4, "shape": [1, 8], "files": 2}
    assert make(root).fingerprint() == module.fingerprint()
    assert module.facts().sample_shape == [1, 8]
    write(root / "b" / "b.wav", steps(8, first=102))
    os.utime(root / "b" / "b.wav", ns=(1, 1))
    assert make(root).describe_split("train")["sha256"] != told["sha256"]


def test_decoding_happens_once(root, monkeypatch):
    write(root / "a.wav", steps(20))
    (root / "b.wav").write_bytes(b"no sound")
    first = make(root, on_damaged="skip", channels=None)
    first.prepare()
    monkeypatch.setattr("ganvas.data.sound.cache.read_sound", None)
    monkeypatch.setattr("ganvas.data.sound.cache.read_header", None)
    again = make(root, on_damaged="skip", channels=None)
    assert stored(again) == stored(first)
    assert (again.rate, again.channels, len(again.notes)) == (8000, 1, 4)
    assert [note.replace("decoded once into", "read decoded from") for note in first.notes] == again.notes


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_damaged_cache_is_made_anew(root, suffix):
    write(root / "a.wav", steps(20))
    make(root).prepare()
    (path,) = (root.parent / ".sounds.ganvas").glob(f"*{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 4]) + content[-8:])
    module = make(root)
    assert stored(module)[0][0] == 1
    assert any("it is not used" in note for note in module.notes)
    assert path.read_bytes() == content


# ---- files of all kinds ----


def sine(rate: int, seconds: float = 0.5, hertz: float = 440, channels: int = 1) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
    return np.repeat(wave[:, None], channels, 1)


@pytest.mark.parametrize(
    ("suffix", "rate", "how", "error"),
    [
        (".wav", 8000, {"subtype": "PCM_24"}, 1e-4),
        (".wav", 8000, {"subtype": "PCM_U8"}, 1e-2),
        (".wav", 8000, {"subtype": "FLOAT"}, 1e-4),
        (".wav", 8000, {"subtype": "DOUBLE"}, 1e-4),
        (".WAV", 8000, {"subtype": "ULAW"}, 0.02),
        (".wav", 96000, {"subtype": "PCM_24"}, 3e-3),
        (".wav", 44100, {"format": "RF64"}, 3e-3),
        (".flac", 44100, {"format": "FLAC", "subtype": "PCM_24"}, 3e-3),
        (".ogg", 44100, {"format": "OGG", "subtype": "VORBIS"}, 0.03),
        (".opus", 48000, {"format": "OGG", "subtype": "OPUS"}, 0.05),
        (".mp3", 44100, {"format": "MP3", "subtype": "MPEG_LAYER_III"}, 0.05),
    ],
)
def test_every_kind_of_file_at_any_rate(root, suffix, rate, how, error):
    write(root / f"a{suffix}", sine(rate), rate, **how)
    module = make(root, rate=8000)
    (whole,) = module.wholes("train", 4)
    assert abs(whole.x.shape[2] - 4000) <= 1
    want = torch.tensor(sine(8000))[100:3900, 0]
    assert (whole.x[0, 0, 100:3900] - want).abs().max() < error
    assert ("resampled" in module.notes[2]) == (rate != 8000)


def test_channels_that_differ_are_mixed_where_that_is_asked_for(root):
    write(root / "a.wav", steps(8, channels=1))
    write(root / "b.wav", np.array([[100, 300]] * 8, np.int16))
    write(root / "c.wav", np.repeat(np.array([[80, 0, 0, 0, 0, 0, 0, 0]], np.int16), 8, 0))
    assert stored(make(root, mix_channels=True)) == [list(range(1, 9)), [200] * 8, [10] * 8]
    stereo = make(root, mix_channels=True, channels=2).split("train").x[:]
    assert stereo[0, 0].tolist() == stereo[0, 1].tolist() == list(range(1, 9))
    assert stereo[1, :, 0].tolist() == [100, 300]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {},
            r"^channels=1: the files have several numbers .* 1 \(a.wav and 1 more\), 2 \(b.wav\); data.mix_",
        ),
        ({"channels": None}, r"^channels=null: .*; data.channels=1 data.mix_channels=true"),
        (
            {"mix_channels": True},
            r"^rate=null: .* 8,000 Hz \(a.wav and 1 more\), 16,000 Hz \(c.wav\); data.r",
        ),
    ],
)
def test_files_that_differ_are_refused_by_name(root, options, says):
    write(root / "a.wav", steps(8))
    write(root / "b.wav", steps(8, channels=2))
    write(root / "c.wav", steps(8), rate=16000)
    if "mix_channels" not in options:
        options = {**options, "rate": 8000}
    assert re.search(says, refused(root, **options))


def test_all_files_of_another_number_of_channels(root):
    write(root / "a.wav", steps(8, channels=2))
    assert "the files have 2 channels; data.channels=2, or data.mix_channels=true" in refused(root)


def test_longer_than_every_file(root):
    write(root / "a.wav", steps(8))
    write(root / "b.wav", steps(5))
    assert refused_options(root, crop_length=9).endswith("the longest has 8 samples; data.crop_length=8")


def test_silent_and_one_sample_and_beyond_one(root):
    write(root / "a.wav", np.zeros((9, 1), np.int16))
    write(root / "b.wav", steps(1, first=7))
    write(root / "c.wav", np.array([[1.5], [-2.0], [0.25], [1.0]]), subtype="FLOAT")
    module = make(root)
    assert stored(module) == [[0] * 8, [0] * 8, [7] + [0] * 7, [32767, -32768, 8192, 32767, 0, 0, 0, 0]]
    assert module.notes[2].endswith("1 of 3 silent; 1 of 3 with values beyond [-1, 1], which are clamped")


def cut(form: str, keep: float = 0.5, **how) -> Callable[[Path], None]:
    def lay(path: Path) -> None:
        write(path, sine(48000, 0.3), 48000, format=form, **how)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])

    return lay


def nan(path: Path) -> None:
    write(path, np.array([[0.1], [np.nan]]), subtype="FLOAT")


DAMAGED = {
    "empty.wav": (lambda path: path.write_bytes(b""), "the file is empty"),
    "no samples.wav": (lambda path: write(path, steps(0)), "it holds no samples"),
    "text.wav": (lambda path: path.write_text("I am a text\n" * 9), "no sound of a kind that can be read"),
    "text.mp3": (lambda path: path.write_text("I am a text\n" * 9), "no sound of a kind that can be read"),
    "image.flac": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9), "no sound of a kind"),
    "nan.wav": (nan, "it holds values that are no numbers (NaN or infinite)"),
    "cut.wav": (cut("WAV"), "it is cut off: 14,4"),
    "cut.flac": (cut("FLAC"), "damaged"),
    "cut.ogg": (cut("OGG", subtype="VORBIS"), "it is cut off: "),
    "cut2.ogg": (cut("OGG", 0.999, subtype="VORBIS"), "it is cut off: "),
    "cut.opus": (cut("OGG", subtype="OPUS"), "it is cut off: "),
    "cut.mp3": (cut("MP3", subtype="MPEG_LAYER_III"), "it is cut off, after "),
    "aiff.wav": (lambda path: write(path, steps(9), format="AIFF"), "no sound of a kind that can be read"),
    "a\nb.wav": (lambda path: path.write_bytes(b""), "the file is empty"),
    os.fsdecode(b"\xff.wav"): (lambda path: path.write_bytes(b""), "the file is empty"),
}


def test_all_damaged_files_are_named_at_once(root, tmp_path):
    root.mkdir()
    for name, (lay, _) in DAMAGED.items():
        lay(root / name)
    write(root / "good.wav", steps(8))
    module = make(root, rate=8000, on_damaged="skip")
    module.prepare()
    said = " ".join(module.notes)
    assert "15 of 16 sound files cannot be read and are left out" in said
    assert all(note.isprintable() for note in module.notes)
    text = refused_options(root, rate=8000, cache_dir=str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    assert "\n" not in text.replace("a\nb", "ab")
    assert "15 of 16 sound files cannot be read: " in text
    assert text.endswith(
        "and 5 more; mend or remove them, or data.on_damaged=skip leaves out what cannot be read"
    )


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named_with_the_reason(root, name):
    root.mkdir()
    lay, reason = DAMAGED[name]
    lay(root / name)
    write(root / "good.wav", steps(8))
    text = refused_options(root, rate=8000)
    assert f"cannot be read as a sound file ({reason}" in text
    assert f"/{name}".replace("\udcff", "?") in text


def test_only_damaged_files(root):
    root.mkdir()
    (root / "a.wav").write_bytes(b"")
    text = refused(root, on_damaged="skip")
    assert "1 of 1 sound files cannot be read: a.wav (the file is empty)" in text


def test_too_long_is_damage(root):
    write(root / "a.wav", steps(1001), rate=1000)
    write(root / "b.wav", steps(1000), rate=1000)
    module = make(root, max_seconds=1.0, on_damaged="skip")
    assert module.num_samples("train") == 125
    assert "a.wav (it is longer than 1 seconds; see max_seconds)" in module.notes[-2]


def test_a_stream_that_does_not_know_its_length_is_read(root):
    write(root / "a.wav", steps(8))
    content = bytearray((root / "a.wav").read_bytes())
    content[40:44] = content[4:8] = b"\xff" * 4  # as ffmpeg writes into a pipe
    (root / "a.wav").write_bytes(content)
    assert stored(make(root)) == [list(range(1, 9))]


def test_a_folder_of_images_and_none(root, tmp_path):
    root.mkdir()
    (root / "a.png").write_bytes(b"")
    (root / "b.m4a").write_bytes(b"")
    text = refused(root)
    assert text.startswith(f"root={root}: holds no sound files; a sound file is named .flac, .mp3")
    assert "1 .m4a (needs conversion to .wav)" in text
    assert "does not exist" in refused(tmp_path / "gone")


def test_the_extra_is_named_where_it_is_missing(root, monkeypatch):
    from ganvas.modality import sound_file

    def missing(name: str) -> None:
        raise ImportError(name)

    write(root / "a.wav", steps(8))
    sound_file._library.cache_clear()
    monkeypatch.setattr(sound_file.importlib, "import_module", missing)
    assert refused(root) == f"root={root}: needs soundfile, not installed here; pip install 'ganvas[sound]'"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rate", 0),
        ("rate", 10**7),
        ("channels", 0),
        ("channels", 9),
        ("crop_length", 0),
        ("max_seconds", 0.0),
        ("layout", "none"),
        ("on_damaged", "ignore"),
        ("val_fraction", 1.0),
    ],
)
def test_arguments_out_of_range(root, option, value):
    with pytest.raises(OptionError) as caught:
        make(root, **{option: value})
    assert caught.value.option == option

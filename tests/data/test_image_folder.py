from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.files import formats, image_cache
from ganvas.data.image_folder import ImageFolder
from ganvas.errors import OptionError
from ganvas.run.folder.train_log import data_notes


def write(folder: Path, levels: list[int], suffix: str = ".png") -> None:
    """A constant grey image for each level, each of another size."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, level in enumerate(levels):
        Image.new("L", (9 + number, 12), level).save(folder / f"{level:03}{suffix}")


def make(root: Path, **options) -> ImageFolder:
    defaults = {"batch_size": 1, "image_size": 8, "val_fraction": 0.0, "test_fraction": 0.0, "channels": 1}
    return ImageFolder(root=str(root), **(defaults | options))


def levels(module: ImageFolder, name: str = "train") -> list[int]:
    x = module.split(name).x
    assert x.shape[1:] == module.sample_shape
    assert (x == x[:, :, :1, :1]).all()
    return x[:, 0, 0, 0].tolist()


def caches(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "images"


def test_a_flat_folder_in_sorted_order(root):
    write(root, [30, 10, 20])
    write(root, [15], suffix=".BMP")
    (root / "notes.txt").write_text("no image")
    (root / ".hidden.png").write_text("no image")
    (root / "empty").mkdir()
    module = make(root, channels=3)
    assert levels(module) == [10, 15, 20, 30]
    assert module.split("train").label is None
    assert module.sample_shape == (3, 8, 8)
    assert module.num_classes is None
    assert [module.num_samples(name) for name in ("val", "test")] == [0, 0]


def test_class_folders(root):
    write(root / "dog", [40, 50])
    write(root / "cat" / "deeper", [10])
    write(root / "cat", [60])
    module = make(root)
    assert levels(module) == [60, 10, 40, 50]
    assert module.split("train").label.tolist() == [0, 0, 1, 1]
    assert (module.class_names, module.num_classes) == (["cat", "dog"], 2)
    make(root, num_classes=2).prepare()
    with pytest.raises(OptionError, match="num_classes=2"):
        make(root, num_classes=3).prepare()


def test_split_folders(root):
    write(root / "train" / "a", [10, 20])
    write(root / "train" / "b", [30])
    write(root / "valid" / "b", [40])
    module = make(root, test_fraction=0.4)
    assert levels(module, "val") == [40]
    assert module.split("val").label.tolist() == [1]
    assert module.num_samples("test") == 1  # held out of training, where there is no folder test
    assert sorted(levels(module) + levels(module, "test")) == [10, 20, 30]


def test_held_out_splits_are_fixed_and_keep_labels(root):
    write(root / "a", list(range(10, 20)))
    write(root / "b", list(range(110, 120)))
    first = make(root, val_fraction=0.2, test_fraction=0.3, seed=1)
    second = make(root, val_fraction=0.2, test_fraction=0.3, seed=2)
    assert [first.num_samples(name) for name in ("train", "val", "test")] == [10, 4, 6]
    everything = []
    for name in ("train", "val", "test"):
        assert levels(first, name) == levels(second, name) == sorted(levels(first, name))
        assert first.split(name).label.tolist() == [int(level > 100) for level in levels(first, name)]
        everything += levels(first, name)
    assert sorted(everything) == [*range(10, 20), *range(110, 120)]


def test_decoding_happens_once(root, monkeypatch):
    write(root, [10, 20])
    cache = root.parent / ".images.ganvas"
    make(root).prepare()
    assert len(caches(cache)) == 1
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]
    monkeypatch.setattr(image_cache, "decode", None)  # a call would fail
    assert levels(make(root)) == [10, 20]


@pytest.mark.parametrize("change", ["touched", "added", "renamed", "size", "channels"])
def test_a_change_is_another_cache(root, change):
    write(root, [10, 20])
    make(root).prepare()
    options, want = {}, [10, 20]
    if change == "touched":
        Image.new("L", (9, 12), 70).save(root / "010.png")
        os.utime(root / "010.png", ns=(1, 1))
        want = [70, 20]
    elif change == "added":
        write(root, [5])
        want = [5, 10, 20]
    elif change == "renamed":
        (root / "010.png").rename(root / "030.png")
        want = [20, 10]
    else:
        options = {"image_size": 4} if change == "size" else {"channels": 3}
    assert levels(make(root, **options)) == want
    assert len(caches(root.parent / ".images.ganvas")) == 2


@pytest.mark.parametrize("damage", ["truncated", "gone", "other shape"])
def test_a_damaged_cache_is_made_anew(root, damage):
    write(root, [10, 20])
    make(root).prepare()
    (path,) = caches(root.parent / ".images.ganvas")
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-1] if damage == "truncated" else content.replace(b"(2, 1", b"(1, 2"))
    assert levels(make(root)) == [10, 20]
    assert path.read_bytes() == content


def test_the_caches_place(root, tmp_path, monkeypatch):
    write(root, [10, 20])
    make(root, cache_dir=str(tmp_path / "mine")).prepare()
    assert len(caches(tmp_path / "mine")) == 1
    (tmp_path / ".images.ganvas").write_text("in the way")  # as good as a folder that cannot be written
    monkeypatch.delenv("GANVAS_CACHE")  # which goes before it
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    make(root).prepare()
    assert len(caches(tmp_path / "user" / "ganvas")) == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"cache_dir=.*cannot be written"):
        make(root, cache_dir=str(tmp_path / "file")).prepare()


def test_writes_stay_in_memory(root):
    write(root, [10, 20])
    make(root).split("train").x.zero_()
    assert levels(make(root)) == [10, 20]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n"])
def test_a_bad_image_is_named_and_nothing_is_left(root, content):
    write(root, [10, 20])
    (root / "015.png").write_bytes(content)
    with pytest.raises(OptionError, match=r"015\.png: cannot be read as an image") as caught:
        make(root).prepare()
    assert caught.value.option == "root"
    assert sorted(path.name for path in root.parent.iterdir()) == ["images"]


def test_folders_made_for_a_cache_go_and_others_stay(root, tmp_path):
    write(root, [10, 20])
    (root / "015.png").touch()
    (tmp_path / "mine").mkdir()
    with pytest.raises(OptionError):
        make(root, cache_dir=str(tmp_path / "mine" / "new" / "cache")).prepare()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "mine"]
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize(("option", "value"), [("num_classes", 3), ("batch_size", 5)])
def test_counts_are_checked_before_anything_is_decoded(root, monkeypatch, option, value):
    write(root / "a", [10, 20])
    write(root / "b", [30, 40])
    monkeypatch.setattr(image_cache, "decode", None)  # a call would fail
    with pytest.raises(OptionError) as caught:
        make(root, **{option: value}).prepare()
    assert (caught.value.option, caught.value.value) == (option, value)
    assert sorted(path.name for path in root.parent.iterdir()) == ["images"]


def test_a_disk_with_too_little_space(root, monkeypatch):
    write(root, [10, 20])
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * 8 * 8 - 1))
    with pytest.raises(OptionError, match=r"^image_size=8: 2 images need .* free; choose a smaller size"):
        make(root).prepare()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * 8 * 8))
    assert levels(make(root)) == [10, 20]


@pytest.mark.parametrize("where", ["", "a", "a/deeper"])
def test_what_is_named_as_an_image_and_is_none(root, where):
    """A pipe would be waited for, a broken link passed over, a folder of such a name is a folder."""
    write(root / where, [10, 20])
    bad = root / where / "030.png"
    os.mkfifo(bad)
    with pytest.raises(OptionError, match=r"030\.png: is a pipe or a device and no file; remove it"):
        make(root).prepare()
    bad.unlink()
    for target in ("gone.png", "030.png"):
        bad.symlink_to(target)
        with pytest.raises(OptionError, match=r"030\.png: is a broken link; remove it"):
            make(root).prepare()
        bad.unlink()
    bad.symlink_to(root / where / "010.png")
    assert levels(make(root)) == [10, 20, 10]


def test_links_to_folders_are_followed_unless_they_go_round(root, tmp_path):
    write(tmp_path / "elsewhere", [10, 20])
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "elsewhere")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    assert levels(make(root)) == [10, 20, 10, 20]
    for target in (root, tmp_path, tmp_path / "elsewhere"):
        loop = tmp_path / "elsewhere" / "loop"
        loop.symlink_to(target)
        with pytest.raises(OptionError, match="is a link to a folder that holds it; remove the link"):
            make(root).prepare()
        loop.unlink()


def test_roots_that_cannot_be_taken(root, tmp_path):
    with pytest.raises(OptionError, match=r"root=null: name a folder of images; data.root=/path"):
        ImageFolder().prepare()
    with pytest.raises(OptionError, match="does not exist"):
        make(root).prepare()
    root.mkdir()
    with pytest.raises(OptionError, match="holds no images"):
        make(root).prepare()
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        make(tmp_path / "file").prepare()
    write(root, [10])
    write(root / "a", [20])
    with pytest.raises(OptionError, match=r"both images and class folders \(a\)"):
        make(root).prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_root(root):
    write(root, [10])
    root.chmod(0)
    with pytest.raises(OptionError, match="cannot be read"):
        make(root).prepare()


def test_an_unreadable_root_by_its_error(root, monkeypatch):
    write(root, [10])

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(OptionError, match=r"root=.*cannot be read .*Permission denied"):
        make(root).prepare()


def test_splits_must_have_the_same_classes(root):
    write(root / "train" / "a", [10])
    write(root / "test" / "b", [20])
    with pytest.raises(OptionError, match=r"other classes than the training folder \(b\)"):
        make(root).prepare()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", 2),
        ("val_fraction", -0.1),
        ("val_fraction", 1.0),
        ("test_fraction", 1.0),
        ("image_size", 0),
    ],
)
def test_arguments_out_of_range(root, option, value):
    with pytest.raises(OptionError) as caught:
        make(root, **{option: value})
    assert caught.value.option == option


def test_more_images_than_a_chunk(root, monkeypatch):
    monkeypatch.setattr(image_cache._Images, "ahead", 2)
    write(root, [10, 20, 30, 40, 50])
    module = make(root, batch_size=5)
    assert levels(module) == [10, 20, 30, 40, 50]
    batch = next(iter(module.train_dataloader()))
    assert sorted(batch.x[:, 0, 0, 0].tolist()) == [10, 20, 30, 40, 50]
    assert torch.equal(batch.x, module.split("train").x[batch.row])


# ---- which files, of which classes and splits, and what is left out ----


def test_one_line_says_what_is_taken_and_what_is_left_out(root, capsys):
    write(root / "cat", [10, 20, 30], suffix=".jfif")
    write(root / "dog", [40, 50, 60])
    (root / "dog" / "notes.txt").write_text("no image")
    (root / "dog" / "a.xcf").write_text("no image")
    (root / "b.xcf").write_text("no image")
    (root / ".DS_Store").write_text("no image")
    module = make(root, val_fraction=0.34)
    with data_notes():
        module.prepare()
    there, cache = module.notes
    assert there == (
        f"{root}: 6 images (3 .jfif, 3 .png), 2 classes; train 4, val 2 (held out), test 0; "
        "passed over: 2 .xcf, 1 .txt, 1 hidden"
    )
    assert cache == f"{root}: decoded once into {root.parent / '.images.ganvas'} (data.cache_dir)"
    assert capsys.readouterr().out == f"{there}\n{cache}\n"
    again = make(root, val_fraction=0.34)
    again.prepare()
    assert again.notes == [there, cache.replace("decoded once into", "read decoded from")]


def test_an_image_that_needs_a_plugin_is_said(root, monkeypatch):
    write(root, [10])
    (root / "a.heic").write_bytes(b"0")
    monkeypatch.setattr(formats, "readable", lambda: {".png": "PNG"})
    module = make(root)
    module.prepare()
    assert module.notes[0].endswith("; passed over: 1 .heic (needs pip install pillow-heif)")
    (root / "010.png").unlink()
    with pytest.raises(OptionError, match=r"holds no images; .* \(there are: 1 \.heic \(needs pip install"):
        make(root).prepare()


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("Train", "VAL", "Test"), ("training", "validation", "testing"), ("TRAINING", "Valid", "TEST")],
)
def test_folders_of_splits_by_their_usual_names(root, train, val, test):
    write(root / train / "a", [10])
    write(root / val / "a", [20])
    write(root / test / "a", [30])
    module = make(root)
    assert [levels(module, name) for name in ("train", "val", "test")] == [[10], [20], [30]]
    assert module.class_names == ["a"]


# Folders that can be read in two ways; what the line names; what a layout makes of them.
AMBIGUOUS = {
    "a class called train": (
        {"train": [10, 20], "boat": [30], "car": [40]},
        ("holds train beside boat, car: ", "data.layout=splits", "data.layout=classes"),
        {"splits": ([10, 20], None), "classes": ([30, 40, 10, 20], ["boat", "car", "train"])},
    ),
    "images beside train": (
        {"train": [10, 20], "": [30]},
        ("holds 1 images beside train: ", "data.layout=splits", "data.layout=flat"),
        {"splits": ([10, 20], None), "flat": ([30, 10, 20], None)},
    ),
    "a class called test": (
        {"control": [10], "test": [20]},
        ("holds test, named as a split, and no folder train", "data.layout=classes"),
        {"classes": ([10, 20], ["control", "test"]), "flat": ([10, 20], None)},
    ),
    "splits inside of classes": (
        {"cat/train": [10], "cat/test": [20], "dog/train": [30]},
        ("holds cat, which holds test, train: ", "data.layout=classes", "data.root="),
        {"classes": ([20, 10, 30], ["cat", "dog"])},
    ),
    "images beside classes": (
        {"cat": [10], "": [20]},
        ("holds both images and class folders (cat)", "data.layout=flat"),
        {"flat": ([20, 10], None), "classes": ([10], ["cat"])},
    ),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_two_readings_are_refused_and_chosen_by_a_layout(root, case):
    folders, parts, chosen = AMBIGUOUS[case]
    for name, values in folders.items():
        write(root / name, values)
    with pytest.raises(OptionError, match=r"^root=") as caught:
        make(root).prepare()
    assert all(part in str(caught.value) for part in parts), caught.value
    for layout, (want, names) in chosen.items():
        module = make(root, layout=layout)
        assert (levels(module), module.class_names) == (want, names)
        left_out = sum(map(len, folders.values())) - len(want)
        said = f"{left_out} images beside what is taken" if left_out else "nothing"
        assert module.notes[0].endswith(f"; passed over: {said}")


def test_layouts_that_cannot_be_taken(root):
    write(root, [10])
    for layout in ("classes", "splits"):
        with pytest.raises(OptionError, match=rf"^layout={layout}: .*holds no folder"):
            make(root, layout=layout).prepare()
    with pytest.raises(OptionError, match=r"^layout=tree: must be one of auto, flat, classes, splits"):
        make(root, layout="tree")
    (root / "010.png").unlink()
    write(root / "train", [10])
    (root / "test").mkdir()
    with pytest.raises(OptionError, match=r"^root=.*test: holds no images"):
        make(root).prepare()
    (root / "test").rmdir()
    write(root / "val", [10])
    write(root / "validation", [10])
    with pytest.raises(OptionError, match="holds val and validation, all for the split val; keep one"):
        make(root, layout="splits").prepare()


# ---- classes ----


def test_a_class_that_is_held_out_whole_keeps_its_number(root):
    """One image of each of ten classes: some class can only be held out whole."""
    for number in range(10):
        write(root / f"class{number}", [10 + number])
    module = make(root, val_fraction=0.2, test_fraction=0.1)
    assert module.num_classes is None
    held = {name: levels(module, name) for name in ("train", "val", "test")}
    assert [len(one) for one in held.values()] == [7, 2, 1]
    assert sorted(level for values in held.values() for level in values) == list(range(10, 20))
    for name, values in held.items():
        assert module.split(name).label.tolist() == [level - 10 for level in values]
    assert module.num_classes == 10


def test_each_class_gives_its_share(root):
    write(root / "many", list(range(60)))
    write(root / "some", list(range(100, 120)))
    write(root / "two", [200, 201])
    write(root / "one", [220])
    module = make(root, val_fraction=0.1, test_fraction=0.2)  # 8 and 16 of 83
    for name, want in {"train": [40, 1, 16, 2], "val": [6, 0, 2, 0], "test": [12, 0, 4, 0]}.items():
        counts = torch.bincount(module.split(name).label, minlength=4).tolist()
        assert sum(counts) == sum(want)
        assert all(abs(got - one) <= 2 for got, one in zip(counts, want)), (name, counts)
    assert module.class_names == ["many", "one", "some", "two"]
    assert torch.bincount(module.split("train").label, minlength=4).min() >= 1


def test_two_spellings_of_a_name_are_one_class(root):
    """macOS writes names decomposed (NFD), Linux as they are typed (mostly NFC)."""
    write(root / "train" / "caf\u00e9", [10])
    write(root / "train" / "cafe\u0301", [20])
    write(root / "train" / "tea", [30])
    write(root / "val" / "cafe\u0301", [40])
    module = make(root)
    assert dict(zip(levels(module), module.split("train").label.tolist())) == {10: 0, 20: 0, 30: 1}
    assert module.class_names == ["caf\u00e9", "tea"]
    assert module.split("val").label.tolist() == [0]


# ---- damaged files, and how images become squares ----


def test_damaged_files_are_named_all_at_once(root):
    write(root, list(range(100, 112)))
    for number in range(12):
        (root / f"bad{number:02}.png").write_bytes(b"\x89PNG\r\n\x1a\n" if number else b"")
    with pytest.raises(OptionError) as caught:
        make(root).prepare()
    assert caught.value.option == "root"
    assert caught.value.reason.startswith("12 of 24 images cannot be read: bad00.png (the file is empty), ")
    assert "bad09.png (" in caught.value.reason
    assert "bad10.png" not in caught.value.reason
    assert " and 2 more; mend or remove them, or data.on_damaged=skip" in caught.value.reason
    assert sorted(path.name for path in root.parent.iterdir()) == ["images"]


def test_damaged_files_are_left_out_and_said(root):
    write(root / "a", [10, 20])
    write(root / "b", [30, 40])
    for name in ("a/015.png", "b/035.png"):
        (root / name).write_bytes(b"")
    options = {"val_fraction": 0.34, "on_damaged": "skip", "batch_size": 1}
    for _ in range(2):  # decoded, and from the cache
        module = make(root, **options)
        module.prepare()
        kept = {name: levels(module, name) for name in ("train", "val")}
        assert sorted(kept["train"] + kept["val"]) == [10, 20, 30, 40]
        for name, values in kept.items():
            assert module.split(name).label.tolist() == [int(level > 20) for level in values]
        assert module.notes[-1].startswith(f"{root}: 2 of 6 images cannot be read and are left out: ")
        assert "b/035.png (the file is empty)" in module.notes[-1]
    with pytest.raises(OptionError, match="2 of 6 images cannot be read"):
        make(root).prepare()
    (root / "a/015.png").unlink()
    with pytest.raises(OptionError, match=r"b/035\.png: cannot be read as an image \(the file is empty\)"):
        make(root).prepare()
    with pytest.raises(OptionError, match=r"^on_damaged=ignore: must be stop or skip"):
        make(root, on_damaged="ignore")


def test_a_folder_of_nothing_but_damage_is_refused(root):
    root.mkdir()
    for name in ("a.png", "b.png"):
        (root / name).touch()
    with pytest.raises(OptionError, match="2 of 2 images cannot be read"):
        make(root, on_damaged="skip").prepare()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("crop", "pad"),
        ("crop", "stretch"),
        ("background", "white"),
        ("max_pixels", 10**6),
        ("on_damaged", "skip"),
    ],
)
def test_every_option_is_another_cache(root, option, value):
    root.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (6, 12, 4), dtype=np.uint8)
    Image.fromarray(noise).save(root / "a.png")
    make(root).prepare()
    other = make(root, **{option: value})
    other.prepare()
    assert len(caches(root.parent / ".images.ganvas")) == 2
    same = other.fingerprint()["train_sha256"] == make(root).fingerprint()["train_sha256"]
    assert same == (option in ("max_pixels", "on_damaged")), "what the pixels are"


def test_a_metrics_protocol_says_how_images_were_decoded(root):
    write(root, [10, 20])
    usual = make(root).describe_split("train")
    assert usual.keys() == {"name", "split", "samples", "sample_shape", "sha256"}
    module = make(root, crop="pad", background="white", max_pixels=10**6)
    assert module.describe_split("train")["decoding"] == {"crop": "pad", "background": [255, 255, 255]}


def test_who_waits_at_a_terminal_reads_at_once(root, capsys, monkeypatch):
    """And where it fails, its error stays the only line."""
    write(root, [10])
    (root / "015.png").touch()
    for at_terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda at=at_terminal: at)
        with pytest.raises(OptionError), data_notes():
            make(root).prepare()
        assert bool(capsys.readouterr().out) == at_terminal


def test_what_leads_nowhere_is_left_out_where_damage_is(root):
    write(root / "a", [10, 20])
    (root / "a" / "030.png").symlink_to("gone.png")
    os.mkfifo(root / "a" / "040.png")
    with pytest.raises(OptionError, match=r"remove it, or data.on_damaged=skip leaves it out"):
        make(root).prepare()
    module = make(root, on_damaged="skip")
    assert levels(module) == [10, 20]
    assert module.notes[0].endswith("passed over: 2 broken links or pipes")


def test_folders_without_images_are_said(root):
    write(root / "cat", [10, 20])
    write(root / "dog", [30, 40])
    (root / "emu" / "deep" / "er").mkdir(parents=True)
    module = make(root)
    module.prepare()
    assert ", 2 classes; " in module.notes[0]
    assert module.notes[0].endswith("passed over: 1 folder without images")
    (root / "cat" / "gnu").mkdir()
    module = make(root)
    module.prepare()
    assert module.notes[0].endswith("passed over: 2 folders without images")


# ---- folders that are made to be endless ----


@pytest.fixture
def deep(root):
    """1,500 folders in each other, which pytest itself could not remove."""
    folders = [root / "cat"]
    for _ in range(1500):
        folders.append(Path(f"{folders[-1]}/d"))
    folders[0].mkdir(parents=True)
    for folder in folders[1:]:
        folder.mkdir()
    yield folders[-1]
    for folder in reversed(folders):
        for file in folder.glob("*.png"):
            file.unlink()
        folder.rmdir()


def test_1500_nested_folders(root, deep):
    write(root / "dog", [30])
    write(deep, [10])
    module = make(root)
    assert levels(module) == [10, 30]
    assert module.class_names == ["cat", "dog"]


def test_links_that_lead_to_one_folder_on_many_ways(root):
    """25 folders with two links each to the next: 33 million ways to one image."""
    write(root / "end", [10, 20])
    below = root / "end"
    for number in range(25):
        folder = root.parent / f"step{number}"
        folder.mkdir()
        for name in ("a", "b"):
            (folder / name).symlink_to(below)
        below = folder
    (root / "start").symlink_to(below)
    with pytest.raises(OptionError, match=r"is reached by more than 64 links; remove them"):
        make(root).prepare()


def test_a_folder_that_is_linked_twice_is_read_twice(root):
    write(root / "a", [10])
    (root / "b").symlink_to(root / "a")
    module = make(root)
    assert levels(module) == [10, 10]
    assert module.split("train").label.tolist() == [0, 1]


def test_a_link_to_itself_is_a_broken_one(root):
    write(root, [10])
    (root / "a.png").symlink_to("a.png")
    with pytest.raises(OptionError, match=r"a\.png: is a broken link"):
        make(root).prepare()
    assert levels(make(root, on_damaged="skip")) == [10]

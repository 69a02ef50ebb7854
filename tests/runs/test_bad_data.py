"""Folders, images and tensors that cannot be trained on; the catalogue of bad input."""

from __future__ import annotations

import os
import struct
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from refusal import SMOKE, as_nobody, refused

from ganvas.data.image_folder import ImageFolder

SMALL = ["data.batch_size=2", "data.native_size=8", "callback=none", "trainer.max_examples=4"]
FLAT = ["data=image_folder", "data.root=flat", *SMALL]
CLASSES = ["data=image_folder", "data.root=classes", *SMALL]


def _bomb(path: Path, side: int = 30_000) -> None:
    """A few hundred bytes that say that they are 900 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def _text_bomb(path: Path, level: int) -> None:
    """A comment that unpacks to 100 MB; the pixels are sound."""
    info = PngInfo()
    info.add_text("comment", "x" * 100_000_000, zip=True)
    Image.new("RGB", (8, 8), (level,) * 3).save(path, pnginfo=info)


def _truncated(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-500])


IMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "zero_byte": ("z.png", lambda path: path.touch(), "cannot be read as an image"),
    "truncated": ("z.png", _truncated, "truncated); mend or remove it, or data.on_damaged=skip"),
    "text": ("z.jpg", lambda path: path.write_text("hello"), "no image of a kind that can be read"),
    "bomb": ("z.png", _bomb, "900000000 pixels"),
    "floats": ("z.tiff", lambda path: Image.new("F", (8, 8), 0.5).save(path), "floating-point levels"),
    "32_bit": ("z.tiff", lambda path: Image.new("I", (8, 8), 70_000).save(path), "16 bits end at 65535"),
    "pipe": ("z.png", os.mkfifo, "is a pipe or a device and no file; remove it"),
    "device": ("z.png", lambda path: path.symlink_to("/dev/zero"), "is a pipe or a device and no file"),
    "broken_link": ("z.png", lambda path: path.symlink_to("gone.png"), "is a broken link; remove it"),
    "link_to_itself": ("z.png", lambda path: path.symlink_to(path.name), "is a broken link; remove it"),
}


@pytest.mark.parametrize("folder", ["flat", "classes/a"])
@pytest.mark.parametrize("case", IMAGES)
def test_a_bad_image(case: str, folder: str, ganvas, there: Path) -> None:
    """The file is named; the cache of the others, which were decoded before it, is not left behind."""
    name, make, part = IMAGES[case]
    make(there / folder / name)
    words = FLAT if folder == "flat" else CLASSES
    line = refused(ganvas, there, [*SMOKE, *words], "data.root", f"={folder}/{name}: ", part)
    assert line.startswith(f"data.root={folder}/{name}: ")


def test_pillow_says_nothing_of_its_own(ganvas, there: Path) -> None:
    """It warns of 89 to 179 million pixels, by two lines on stderr; seen in a process of its own."""
    _bomb(there / "flat/z.png", 10_000)

    def alone(*words: str, code: int):
        return ganvas(*words, code=code, fresh=True)

    refused(alone, there, [*SMOKE, *FLAT], "data.root", "=flat/z.png: ", "100000000 pixels, above the limit")


# Overrides of a folder with two classes that is as it should be; the key, and what the line must hold.
WORDS: list[tuple[list[str], str, str]] = [
    (["data.root=null"], "data.root", "name a folder of images"),
    (["data.root="], "data.root", "=: is empty; name a folder"),
    (["data.root=gone"], "data.root", "does not exist; name a folder"),
    (["data.root=" + "x" * 300], "data.root", "does not exist; name a folder"),
    (["data.root=empty"], "data.root", "holds no images; an image is named"),
    (["data.root=file.txt"], "data.root", "is a file; name a folder"),
    (["data.root=/dev/null"], "data.root", "is a file; name a folder"),
    (["data.num_classes=3"], "data.num_classes", "the data has 2 classes; num_classes=2"),
    (["data.batch_size=9"], "data.batch_size", "8 training samples; batch_size=8 at most"),
    (["data.image_size=2000000"], "data.image_size", "free; choose a smaller size"),
    (["data.val_fraction=0.95"], "data.test_fraction", "must be in [0, 0.05)"),
    (["data.val_fraction=nan"], "data.val_fraction", "is not finite; give a finite number"),
    (["data.cache_dir=file.txt"], "data.cache_dir", "cannot be written"),
    (["data.cache_dir="], "data.cache_dir", "is empty; name a folder"),
    (["data=mnist", "data.root=empty", "data.mirrors=[]"], "data.root", "; "),
    (["data=mnist", "data.root=file.txt"], "data.root", "is a file; name a folder"),
    (["data=cifar10", "data.root=empty", "data.mirrors=[]"], "data.root", "; "),
    (["data=toy", "model=dcgan"], "data.channels", "this network makes images; choose"),
]


@pytest.mark.parametrize(("words", "key", "part"), WORDS, ids=lambda value: str(value)[:30])
def test_words_for_data(words: list[str], key: str, part: str, ganvas, there: Path) -> None:
    keys = [word.partition("=")[0] for word in words]
    keys += ["data.native_size"] if "data.image_size" in keys else []  # nothing reads it then
    others = [word for word in CLASSES if word.partition("=")[0] not in keys] if "data" not in keys else []
    refused(ganvas, there, [*SMOKE, *others, *words], key, part)


FOLDERS: dict[str, tuple[Callable[[Path], object], list[str], list[str]]] = {
    "loop": (
        lambda there: (there / "classes/a/loop").symlink_to(there / "classes"),
        [],
        ["=classes/a/loop: ", "is a link to a folder that holds it; remove the link"],
    ),
    "loop_below_images": (
        lambda there: (there / "flat/loop").symlink_to(there / "flat"),
        ["data.root=flat"],
        ["=flat/loop: ", "is a link to a folder that holds it; remove the link"],
    ),
    "images_beside_classes": (
        lambda there: Image.new("L", (8, 8)).save(there / "classes/z.png"),
        [],
        ["holds both images and class folders (a, b); keep one"],
    ),
    "bad_image_in_a_cache_to_be": (
        lambda there: (there / "classes/a/z.png").touch(),
        ["data.cache_dir=new/cache"],
        ["=classes/a/z.png: ", "cannot be read as an image"],
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_bad_folder(case: str, ganvas, there: Path) -> None:
    make, words, parts = FOLDERS[case]
    make(there)
    refused(ganvas, there, [*SMOKE, *CLASSES, *words], "data.root", *parts)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="root's rights are dropped as Linux has them"
)
@pytest.mark.parametrize("what", ["flat", "flat/3.png"])
def test_what_may_not_be_read(what: str, ganvas, there: Path) -> None:
    (there / what).chmod(0)

    def as_nobody_runs(*words: str, code: int):
        with as_nobody():
            return ganvas(*words, code=code)

    refused(as_nobody_runs, there, [*SMOKE, *FLAT], "data.root", f"={what}", "Permission denied")


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="root's rights are dropped as Linux has them"
)
def test_where_nothing_may_be_written(ganvas, there: Path) -> None:
    (there / "empty").chmod(0o555)

    def as_nobody_runs(*words: str, code: int):
        with as_nobody():
            return ganvas(*words, code=code)

    words = [*SMOKE, "paths.output_dir=empty/below"]
    refused(
        as_nobody_runs,
        there,
        words,
        "paths.output_dir",
        "cannot be written (Permission denied); name a folder",
    )


def test_every_kind_of_image_that_can_be_told_is_taken(ganvas, there: Path) -> None:
    """Grey, transparent, for print, 16-bit, animated, by an odd name, with a long comment."""
    flat = there / "flat"
    for path in flat.iterdir():
        path.unlink()
    Image.new("L", (8, 8), 100).save(flat / "a.png")
    Image.new("RGBA", (8, 8), (200, 200, 200, 128)).save(flat / "b.png")
    Image.new("CMYK", (8, 8), (0, 0, 0, 155)).save(flat / "c.jpg")
    Image.fromarray(np.full((8, 8), 100 * 257, dtype=np.uint16)).save(flat / "d.png")
    frames = [Image.new("L", (8, 8), level) for level in (100, 0)]
    frames[0].save(flat / "e.gif", save_all=True, append_images=frames[1:])
    _text_bomb(flat / "f.png", 100)
    frames[0].save(os.fsencode(flat) + b"/\xff\xfe.png", format="png")
    done = ganvas(*SMOKE, *FLAT)
    assert done.stderr == ""
    data = ImageFolder(root=str(flat), image_size=8, batch_size=1, val_fraction=0, test_fraction=0)
    x = data.split("train").x.int()
    assert len(x) == 7
    assert ((x - 100).abs() <= 2).all()
    assert list(there.glob("outputs/*/*/checkpoints/*.ckpt"))


FAULTY = """
    import torch

    from ganvas.data.datamodule import TensorDataModule
    from ganvas.data.loading.stored import Stored


    class Faulty(TensorDataModule):
        def __init__(self, *, fault: str, batch_size: int = 4, seed: int = 0, num_classes: int | None = None,
                     channels: int | None = None, image_size: int | None = None):
            super().__init__(batch_size=batch_size, seed=seed, num_classes=num_classes, channels=channels,
                             image_size=image_size)
            self.fault = fault

        def load(self):
            x, label = torch.linspace(-1, 1, 24).reshape(12, 2), torch.arange(12) % 3
            splits = {name: Stored(x.clone(), label.clone()) for name in ("train", "val", "test")}
            exec(self.fault, {"torch": torch, "Stored": Stored, "splits": splits, "x": x, "label": label})
            return splits
"""
YAML = """
    _target_: data_with_faults.Faulty
    _shared_: [sample_shape]
    fault: pass
    batch_size: 4
    seed: ${seed}
    channels: null
    image_size: null
    sample_shape: [2]
    num_classes: null
"""
TARGET = ("data._target_", "=data_with_faults.Faulty: ")
FAULTS: dict[str, tuple[str, list[str], tuple[str, ...]]] = {
    "nan": (
        "splits['train'].x[3, 1] = float('nan')",
        [],
        (*TARGET, "1 samples of the train split are not finite, the first is sample 3; mend"),
    ),
    "infinite": (
        "splits['val'].x[5:7] = float('inf')",
        [],
        (*TARGET, "2 samples of the val split are not finite, the first is sample 5; mend"),
    ),
    "not_scaled": (
        "splits['test'].x.mul_(255)",
        [],
        (*TARGET, "the test split reaches from -255 to 255; scale float samples into [-1, 1]"),
    ),
    "float64": ("splits['val'] = Stored(x.double(), label)", [], (*TARGET, "val split must be uint8")),
    "bytes": ("splits['val'] = Stored(x.byte(), label)", [], (*TARGET, "must be [N, C, H, W]; give")),
    "other_shapes": ("splits['val'] = Stored(torch.zeros(4, 3), None)", [], (*TARGET, "shapes; give all")),
    "no_samples": ("splits['train'] = Stored(x[:0], label[:0])", [], (*TARGET, "train split is empty; give")),
    "a_missing_split": ("del splits['val']", [], (*TARGET, "must return a dict of train, val, test")),
    "no_stored": ("splits['val'] = x", [], (*TARGET, "must return a ganvas.data.loading.stored.Stored for")),
    "few_labels": ("splits['val'] = Stored(x, label[:5])", [], (*TARGET, "labels of val must be int64 [12]")),
    "float_labels": ("splits['val'] = Stored(x, label.float())", [], (*TARGET, "of val must be int64 [12]")),
    "negative_label": (
        "splits['val'].label[4] = -1",
        [],
        ("data.num_classes", "=null: ", "sample 4 of the val split has the label -1, labels"),
    ),
    "label_beyond": (
        "splits['test'].label[7] = 9",
        ["data.num_classes=3"],
        (
            "data.num_classes",
            "sample 7 of the test split has the label 9, labels are 0 to 2;",
            "or num_classes=10",
        ),
    ),
    "float_images_to_resize": (
        "splits.update({n: Stored(torch.zeros(12, 1, 8, 8), label) for n in splits})",
        ["data.channels=1", "data.image_size=16", "data.sample_shape=[1,16,16]"],
        ("data.image_size", "only uint8 images are resized; image_size=8, or store uint8"),
    ),
}


@pytest.mark.parametrize("case", [*FAULTS, "none"])
def test_a_data_module_of_the_users_own(case: str, ganvas, there: Path) -> None:
    fault, words, want = FAULTS.get(case, ("pass", [], ()))
    (there / "conf/data").mkdir(parents=True)
    (there / "conf/data/faulty.yaml").write_text(textwrap.dedent(YAML))
    (there / "data_with_faults.py").write_text(textwrap.dedent(FAULTY))
    words = [*SMOKE, "--config-dir", "conf", "data=faulty", f'data.fault="{fault}"', "callback=none", *words]
    try:
        if want:
            refused(ganvas, there, words, *want)
        else:
            ganvas(*words)
    finally:
        sys.modules.pop("data_with_faults", None)

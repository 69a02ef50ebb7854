from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.files import formats
from ganvas.data.image_folder import ImageFolder
from ganvas.data.loading import loader as loader_module
from ganvas.data.shard import index as shard_index
from ganvas.data.shard import loader as shard_loader
from ganvas.data.shard.listing import expand
from ganvas.data.shard.loader import Mixed
from ganvas.data.shard.tar_members import members, parse_header
from ganvas.data.webdataset import WebDataset
from ganvas.errors import OptionError
from ganvas.functional.random import hash64

Members = Sequence[tuple[str, bytes]]


def png(level: int, mode: str = "L", size: tuple[int, int] = (8, 8)) -> bytes:
    return encoded(Image.new("L", size, level).convert(mode))


def encoded(image: Image.Image, kind: str = "png") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def pack(path: Path, contents: Members, *, kind: int = tarfile.PAX_FORMAT, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=kind) as archive:
        for name, content in contents:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def sample(number: int, *, label: bool = True) -> Members:
    """An image whose every pixel is ``number``, and the label number % 5."""
    parts = [(f"{number:05}.png", png(number))]
    return [*parts, (f"{number:05}.cls", str(number % 5).encode())] if label else parts


def shards(
    root: Path, counts: Sequence[int], *, name: str = "train", start: int = 0, label: bool = True
) -> None:
    for number, count in enumerate(counts):
        contents = [part for row in range(start, start + count) for part in sample(row, label=label)]
        pack(root / f"{name}-{number:03}.tar", contents)
        start += count


def make(root: Path | None, **options) -> WebDataset:
    defaults = {
        "batch_size": 4,
        "image_size": 8,
        "val_fraction": 0.0,
        "test_fraction": 0.0,
        "channels": 1,
        "num_workers": 0,
        "seed": 5,
    }
    return WebDataset(root=None if root is None else str(root), **(defaults | options))


def levels(module: WebDataset, name: str = "train") -> list[int]:
    x = module.split(name).x[:]
    assert x.shape == (module.num_samples(name), *module.sample_shape)
    assert (x == x[:, :, :1, :1]).all()
    return x[:, 0, 0, 0].tolist()


def rows(module: WebDataset, **at) -> list[list[int]]:
    loader = module.train_dataloader()
    loader.order.position = lambda: (at.get("epoch", 0), at.get("first", 0))
    found = []
    for batch in loader:
        assert batch.x[:, 0, 3, 3].tolist() == batch.row.tolist(), "the image is that of its row"
        assert batch.label.tolist() == [row % 5 for row in batch.row.tolist()]
        found.append(batch.row.tolist())
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "images"


# ---- what is read ----


def test_samples_in_the_order_of_shards_and_members(root):
    shards(root, [3, 1, 4])
    module = make(root)
    assert levels(module) == list(range(8))
    assert module.split("train").label.tolist() == [number % 5 for number in range(8)]
    assert (module.num_classes, module.sample_shape) == (5, (1, 8, 8))
    assert [module.num_samples(name) for name in ("val", "test")] == [0, 0]
    assert module.split("train").x[torch.tensor([6, 2])][:, 0, 0, 0].tolist() == [6, 2]
    batch = next(module.batches("train", 3))
    assert torch.equal(batch.x[2], torch.full((1, 8, 8), 2 / 127.5 - 1))


def test_splits_by_the_shards_names_or_folders_or_options(root):
    shards(root, [2, 2])
    shards(root, [3], name="imagenet-val", start=10)
    shards(root, [1], name="test", start=20)
    assert [levels(make(root), name) for name in ("train", "val", "test")] == [
        [0, 1, 2, 3],
        [10, 11, 12],
        [20],
    ]
    named = make(root, shards="train-001.tar", val_shards=["train-{000..000}.tar"], batch_size=1)
    assert [levels(named, name) for name in ("train", "val")] == [[2, 3], [0, 1]]
    shards(root / "valid", [1], name="a", start=30)
    (root / "imagenet-val-000.tar").unlink()
    assert levels(make(root), "val") == [30]


def test_what_is_held_out_is_fixed(root):
    shards(root, [12, 8])
    first, second = (make(root, val_fraction=0.2, test_fraction=0.3, seed=seed) for seed in (1, 2))
    assert [first.num_samples(name) for name in ("train", "val", "test")] == [10, 4, 6]
    everything = [level for name in ("train", "val", "test") for level in levels(first, name)]
    assert sorted(everything) == list(range(20))
    assert levels(first, "val") == levels(second, "val")
    order = [
        level
        for batch in make(root, val_fraction=0.2, test_fraction=0.3).train_dataloader()
        for level in batch.x[:, 0, 0, 0].tolist()
    ]
    assert len(set(order)) == 8
    assert set(order) <= set(levels(first))


def test_images_are_those_of_a_folder_of_the_same_files(root, tmp_path):
    """Any mode and size; the same decoding, to the last bit."""
    noise = np.random.default_rng(1).integers(0, 256, (13, 9, 4), dtype=np.uint8)
    images = [Image.fromarray(noise[:, :, :3]), Image.fromarray(noise), Image.fromarray(noise[:, :, 0])]
    files = [(f"{number}.png", encoded(image)) for number, image in enumerate(images)]
    files.append(("3.jpg", encoded(images[0], "jpeg")))
    files.append(("4.gif", encoded(images[0].quantize(8), "gif")))
    pack(root / "train-0.tar", files)
    (tmp_path / "folder").mkdir()
    for name, content in files:
        (tmp_path / "folder" / name).write_bytes(content)
    options = {"batch_size": 1, "image_size": 6, "val_fraction": 0.0, "test_fraction": 0.0}
    for channels in (1, 3):
        want = ImageFolder(root=str(tmp_path / "folder"), channels=channels, **options).split("train")
        got = make(root, channels=channels, image_size=6, batch_size=1).split("train")
        assert torch.equal(got.x[:], want.x)
        assert got.label is want.label is None


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3), (8, 8, 4)])
def test_arrays(root, shape):
    array = np.full(shape, 77, np.uint8)
    if shape[-1] == 4:
        array[:, :, 3] = 255
    file = io.BytesIO()
    np.save(file, array)
    pack(root / "a.tar", [("a.npy", file.getvalue())])
    assert levels(make(root, batch_size=1)) == [77]


@pytest.mark.parametrize(
    ("shape", "kind", "reason"),
    [
        ((2**20, 2**20), "|u1", "1099511627776 pixels, above the limit of"),
        ((4000, 4000), "|u1", r"says \[4000, 4000\] and holds 64 bytes"),
        ((0, 8), "|u1", "says .0, 8. and holds"),
        ((8, 8), "|O", "an .npy of object"),
        ((8, 8), "<f8", "an .npy of float64"),
    ],
)
def test_an_array_that_is_not_what_its_header_says(root, shape, kind, reason):
    """Nothing of the size is made before the bytes are seen; objects are never unpickled."""
    file = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    pack(root / "a.tar", [("a.npy", file.getvalue() + b"\0" * 64)])
    with pytest.raises(OptionError, match=reason):
        make(root, batch_size=1).split("train").x[:]


def test_labels_of_json_and_the_choice_of_an_image(root):
    contents = []
    for number in range(4):
        note = {"label": number % 2, "class": {"n": 1}, "kind": 3 - number}
        contents += [
            (f"a.b/{number}.input.png", png(number)),
            (f"a.b/{number}.mask.png", png(99)),
            (f"a.b/{number}.json", json.dumps(note).encode()),
        ]
    contents += [("README", b"no sample"), (".hidden.png", b""), ("__meta__.json", b"")]
    pack(root / "train.tar", contents)
    assert make(root, image_extension="input.png").split("train").label.tolist() == [0, 1, 0, 1]
    module = make(root, image_extension=".input.PNG", label_field="kind")
    assert levels(module) == [0, 1, 2, 3]
    assert module.split("train").label.tolist() == [3, 2, 1, 0]
    assert make(root, image_extension="mask.png", label_field="none").split("train").label is None


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names(root, kind):
    folder = "/".join(["x" * 40] * (3 if kind == tarfile.USTAR_FORMAT else 8))
    contents = [
        (f"{folder}/{number}.{end}", data)
        for number in range(3)
        for end, data in (("png", png(number)), ("cls", b"1"))
    ]
    pack(root / "train.tar", contents, kind=kind)
    module = make(root, batch_size=1)
    assert levels(module) == [0, 1, 2]
    assert module.split("train").label.tolist() == [1, 1, 1]


# ---- order ----


def reference(counts: Sequence[int], *, seed: int, epoch: int, batch_size: int, window: int | None):
    """The order as the loader's docstring says it, one sample at a time."""
    first = [sum(counts[:number]) for number in range(len(counts))]
    order = torch.randperm(len(counts), generator=torch.Generator().manual_seed(hash64("perm", seed, epoch)))
    string = [first[shard] + place for shard in order.tolist() for place in range(counts[shard])]
    size = window or len(string)
    mixed = []
    for number, start in enumerate(range(0, len(string), size)):
        part = string[start : start + size]
        generator = torch.Generator().manual_seed(hash64("window", seed, epoch, number))
        mixed += [part[place] for place in torch.randperm(len(part), generator=generator).tolist()]
    batches = len(mixed) // batch_size
    return [[mixed[place * batches + batch] for place in range(batch_size)] for batch in range(batches)]


@pytest.mark.parametrize("window", [1, 3, 7, 100, None])
def test_order_is_the_function_that_the_docstring_says(root, window):
    counts = [5, 1, 9, 3, 12]
    shards(root, counts)
    module = make(root, shuffle_window=window)
    seen = {}
    for epoch in (0, 3):
        seen[epoch] = rows(module, epoch=epoch)
        assert seen[epoch] == reference(counts, seed=5, epoch=epoch, batch_size=4, window=window)
        assert len({row for batch in seen[epoch] for row in batch}) == 28, (
            "each once, the incomplete batch dropped"
        )
    assert seen[0] != seen[3]
    assert seen[0] != rows(make(root, shuffle_window=window, seed=6))
    for first in range(1, 8):
        assert rows(module, epoch=3, first=first) == seen[3][first:], (
            "any batch is found without those before"
        )


def as_rank(monkeypatch: pytest.MonkeyPatch, rank: int, ranks: int) -> None:
    for module in (loader_module, shard_loader):
        monkeypatch.setattr(module, "world_size", lambda: ranks)
        monkeypatch.setattr(module, "rank", lambda: rank)


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_together_see_what_one_process_sees_and_each_reads_a_part(root, monkeypatch, ranks):
    shards(root, [8] * 8)
    alone = rows(make(root, shuffle_window=2, batch_size=8))
    shares, opened = [], []
    for rank in range(ranks):
        as_rank(monkeypatch, rank, ranks)
        shares.append(rows(make(root, shuffle_window=2, batch_size=8)))
        opened.append(len({row // 8 for batch in shares[-1] for row in batch}))
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == alone
    assert opened == [8 // ranks] * ranks
    as_rank(monkeypatch, 0, 3)
    with pytest.raises(OptionError, match=r"^batch_size=8.*multiple of 3"):
        rows(make(root, batch_size=8))


def test_a_large_data_set_needs_no_time_to_find_a_batch():
    """A window is mixed when it is met: 50 million samples, one batch."""
    counts = np.full(5000, 10_000)
    mixed = Mixed(counts, seed=1, epoch=2, window=1024)
    places = np.arange(256) * 195_312 + 100_000
    found = mixed.rows(places)
    assert len(set(found.tolist())) == 256
    assert len(mixed._windows) <= 256
    assert (found >= 0).all()
    assert (found < 50_000_000).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_the_same_batches_epoch_after_epoch(root, workers):
    shards(root, [9, 9])
    alone, helped = make(root), make(root, num_workers=workers)
    loader = helped.train_dataloader()
    where = [0, 0]
    loader.order.position = lambda: tuple(where)
    for where[:] in ([0, 0], [1, 2]):
        got = [(batch.row.tolist(), batch.x[:, 0, 0, 0].tolist()) for batch in loader]
        assert (
            [one for one, _ in got] == [one for _, one in got] == rows(alone, epoch=where[0], first=where[1])
        )
    helped.teardown("fit")
    val = make(root, num_workers=workers, val_fraction=0.3).val_dataloader()
    assert [len(batch.x) for batch in val] == [4, 1], "evaluation keeps the last batch"


# ---- the index ----


def test_headers_are_read_once(root, monkeypatch):
    shards(root, [3, 4])
    first = make(root)
    first.prepare()
    (kept,) = (root.parent / ".images.ganvas").iterdir()
    assert kept.suffix == ".index"
    monkeypatch.setattr(shard_index, "members", None)  # a call would fail
    again = make(root)
    assert levels(again) == list(range(7))
    assert again.fingerprint() == first.fingerprint()
    assert again.split("train").label.tolist() == first.split("train").label.tolist()


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_index_is_made_anew(root, damage):
    shards(root, [3, 4])
    make(root).prepare()
    (kept,) = (root.parent / ".images.ganvas").iterdir()
    content = kept.read_bytes()
    kept.write_bytes(content[:-30] if damage is None else damage)
    assert levels(make(root)) == list(range(7))
    assert len(kept.read_bytes()) == len(content)


def test_a_changed_shard_is_another_index_and_other_data(root, tmp_path):
    shards(root, [3, 4])
    first = make(root).fingerprint()
    os.utime(root / "train-000.tar", ns=(1, 1))
    assert make(root).fingerprint() == first, "what is in it is the same"
    assert len(list((root.parent / ".images.ganvas").iterdir())) == 2
    root.rename(tmp_path / "moved")
    assert make(tmp_path / "moved").fingerprint() == first
    for change in ({"label": False}, {"start": 5}):
        shards(root, [3, 4], **change)
        assert make(root).fingerprint()["train_sha256"] != first["train_sha256"]


def test_an_index_that_cannot_be_kept_is_missed_only_where_a_folder_was_named(root, tmp_path, monkeypatch):
    shards(root, [3, 4])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / ".images.ganvas").write_text("in the way")
    assert levels(make(root)) == list(range(7))
    with pytest.raises(OptionError, match=r"^cache_dir=.*cannot be written"):
        make(root, cache_dir=str(tmp_path / "file")).prepare()
    make(root, cache_dir=str(tmp_path / "mine")).prepare()
    assert len(list((tmp_path / "mine").iterdir())) == 1


# ---- what cannot be taken ----


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _zero(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + 512] = bytes(512)
    path.write_bytes(content)


def _link(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)


# Of a sample: 512 bytes of header and 512 of PNG, then 512 and 512 of its label.
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "is missing between train-000.tar and train-002.tar"),
    "empty": (lambda path: path.write_bytes(b""), "ends at byte 0 without tar's end mark"),
    "no_samples": (lambda path: pack(path, []), "holds no samples"),
    "cut_in_an_image": (lambda path: _cut(path, 2048 + 530), "ends at byte 2578 inside of 00004.png"),
    "cut_in_a_header": (lambda path: _cut(path, 2048 + 100), "ends at byte 2148 without tar's end mark"),
    "cut_between_members": (lambda path: _cut(path, 2048), "ends at byte 2048 without tar's end mark"),
    "header": (lambda path: _flip(path, 2048 + 3), "has no tar header at byte 2048 (bad checksum)"),
    "header_of_zeros": (lambda path: _zero(path, 2048), "goes on behind an end mark at byte 2048"),
    "text": (lambda path: path.write_text("hello " * 200), "has no tar header at byte 0"),
    "compressed": (lambda path: pack(path, sample(3), mode="w:gz"), "is compressed"),
    "link": (_link, "holds a.png, which is no file"),
    "key_twice": (lambda path: pack(path, [*sample(3), *sample(4), *sample(3)]), "key 00003 twice (.png)"),
    "no_image": (lambda path: pack(path, [("a.cls", b"1")]), "has no image of key a (there are: .cls)"),
    "two_images": (lambda path: pack(path, [("a.png", b""), ("a.jpg", b"")]), "than one image of key a"),
    "label": (lambda path: pack(path, [("a.png", b""), ("a.cls", b"cat")]), "label 'cat' of key a"),
    "negative": (lambda path: pack(path, [("a.png", b""), ("a.cls", b"-1")]), "has the label '-1' of key a"),
    "json": (lambda path: pack(path, [("a.png", png(1)), ("a.json", b"{")]), "of key a; a class is a whole"),
    "unlabelled": (lambda path: pack(path, [("a.png", png(1))]), "train-001.tar, key a: has no label"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read (is no regular file)"),
    "pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "cannot be read (is no regular file)"),
    "device": (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "(is no regular file)"),
    "pax_length": (lambda path: _pax(path, b"9" * 5000 + b" path=a\n"), "has a broken extended header"),
    "pax_sign": (lambda path: _pax(path, b"+9 path=a\n"), "has a broken extended header"),
    "pax_size": (lambda path: _pax(path, b"5011 size=" + b"9" * 5000 + b"\n"), "is no whole number"),
    "pax_negative": (lambda path: _pax(path, b"11 size=-1\n"), "b'-1' is no whole number"),
    "octal": (lambda path: _field(path, 124, b"-0000000001\0"), "is no number"),
    "octal_prefix": (lambda path: _field(path, 124, b"0o000000001\0"), "is no number"),
    "binary_size": (lambda path: _field(path, 124, b"\x80" + b"\xff" * 11), "inside of 00003.png"),
    "digits": (lambda path: pack(path, [("a.png", b""), ("a.cls", b"1" * 5000)]), "has the label '1111"),
    "underscore": (lambda path: pack(path, [("a.png", b""), ("a.cls", b"1_0")]), "has the label '1_0'"),
    "deep": (lambda path: pack(path, [("a.png", b""), ("a.json", b"[" * 9999)]), "has the label '[[[["),
    "big": (lambda path: pack(path, [("a.png", b""), ("a.cls", b"1" * 2**20 + b"1")]), "of 1048577 bytes"),
}


def _field(path: Path, place: int, content: bytes) -> None:
    """Puts a field into the first header, whose checksum is right again."""
    whole = bytearray(path.read_bytes())
    whole[place : place + len(content)] = content
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:512])
    path.write_bytes(whole)


def _pax(path: Path, record: bytes) -> None:
    """An archive with this extended header before its first member."""
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, len(record)
    padding = b"\0" * (-len(record) % 512)
    path.write_bytes(member.tobuf(tarfile.USTAR_FORMAT) + record + padding + path.read_bytes())


@pytest.mark.parametrize("case", DAMAGE)
def test_a_bad_shard_is_named_before_training(root, case):
    shards(root, [3, 4, 3])
    break_it, part = DAMAGE[case]
    break_it(root / "train-001.tar")
    with pytest.raises(OptionError) as caught:
        make(root).prepare()
    assert (caught.value.option, caught.value.value) == ("root", str(root))
    assert "train-001.tar" in caught.value.reason
    assert part in caught.value.reason
    assert sorted(path.name for path in root.parent.iterdir()) == ["images"], "nothing is written"


def test_the_first_image_is_decoded_before_training_and_others_are_named_when_they_are_read(root):
    pack(root / "train-000.tar", [("a.png", b"no image"), *sample(1, label=False)])
    with pytest.raises(
        OptionError, match=r"^root=.*: shard train-000.tar, key a: cannot be read as an image"
    ):
        make(root, batch_size=1).prepare()
    pack(root / "train-000.tar", [*sample(0, label=False), *sample(1, label=False), ("x/b.png", png(1)[:50])])
    module = make(root, batch_size=1)
    module.prepare()
    assert module.split("train").x[:2][:, 0, 0, 0].tolist() == [0, 1]
    with pytest.raises(
        OptionError, match=r"^root=.*: shard train-000.tar, key x/b: cannot be read as an image"
    ):
        module.split("train").x[:]
    for workers in (0, 1):
        module = make(root, batch_size=1, num_workers=workers)
        with pytest.raises(
            OptionError, match=r"^data\.root=.*: shard train-000.tar, key x/b: cannot be read"
        ):
            list(module.train_dataloader())


def test_a_shard_that_changes_under_a_run(root):
    shards(root, [3, 4])
    module = make(root)
    module.prepare()
    module.split("train").x.close()
    pack(root / "train-001.tar", sample(3))
    with pytest.raises(OptionError, match=r"shard train-001.tar, key .*was changed since it was indexed"):
        module.split("train").x[:]


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("channels", 2, "1 \\(grey\\) or 3"),
        ("shuffle_window", 0, "at least 1 sample"),
        ("val_fraction", 1.0, "in \\[0, 1\\)"),
        ("test_fraction", 1.0, "in \\[0, 1\\)"),
        ("cache_dir", "", "is empty"),
        ("num_classes", 4, "0 to 3; mend the labels, or num_classes=5"),
        ("num_classes", 6, "num_classes=5"),
        ("batch_size", 11, "batch_size=10 at most"),
        ("shards", "train-{2..0}.tar", "from 2 down to 0"),
        ("shards", "a-{0.tar", "has a brace"),
        ("shards", "no-*.tar", "no file is called like"),
        ("shards", "s3://bucket/a.tar", "is no file of this machine"),
        ("shards", [], "is empty"),
        ("val_shards", "train-00[0-1].tar,", "no file is called like"),
    ],
)
def test_options_that_cannot_be_taken(root, option, value, part):
    shards(root, [3, 4, 3])
    with pytest.raises(OptionError, match=part) as caught:
        make(root, **{option: value}).prepare()
    assert caught.value.option == option


def test_roots_that_cannot_be_taken(root, tmp_path):
    for place, part in ((None, "^root=null"), (root, "does not exist")):
        with pytest.raises(OptionError, match=part):
            make(place).prepare()
    root.mkdir()
    with pytest.raises(OptionError, match="holds no shards"):
        make(root).prepare()
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        make(tmp_path / "file").prepare()
    shards(root, [3])
    shards(root, [3], name="extra", start=5)
    with pytest.raises(OptionError, match=r"shard extra-000.tar names no split"):
        make(root).prepare()
    with pytest.raises(OptionError, match=r"^shards=.*/gone.tar: shard gone.tar cannot be read"):
        make(None, shards=str(root / "gone.tar")).prepare()
    (root / "extra-000.tar").unlink()
    shards(root, [3], name="val", start=8, label=False)
    shards(root, [8])
    with pytest.raises(OptionError, match="the train shards have labels and the val shards have none"):
        make(root).prepare()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a-{00..02}.tar", ["a-00.tar", "a-01.tar", "a-02.tar"]),
        ("a-08..10.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("a-{8..10}.tar", ["a-8.tar", "a-9.tar", "a-10.tar"]),
        ("{x,y}-{0..1}.tar", ["x-0.tar", "x-1.tar", "y-0.tar", "y-1.tar"]),
        ("a.tar", ["a.tar"]),
    ],
)
def test_patterns(tmp_path, pattern, names):
    assert expand(pattern, option="shards", root=tmp_path) == [tmp_path / name for name in names]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{a,b}" * 25 + ".tar", "names 1,048,576 shards or more, and at most 1,000,000 are taken"),
        ("{000..999}-{000..999}-{000..999}.tar", "names 1,000,000,000 shards or more"),
        ("{0..999999999999}.tar", "names 1,000,000,000,000 shards"),
        ("{" + "9" * 4500 + ".." + "9" * 4500 + "}.tar", "has a number of 4,500 digits"),
        ("0.." + "1" * 4500, "has a number of 4,500 digits"),
        ("{0..999999}{a,b}.tar", "names 2,000,000 shards or more"),
        ("{,}" * 10000, "has 30,000 letters"),
        ("1..1" * 2400 + "{", "has a brace that is no range"),
        ("a{0..1}b{c.tar", "has a brace that is no range"),
        ("a}b{0..1}.tar", "has a brace that is no range"),
        ("{,}" * 3000, "names 1,048,576 shards or more"),
    ],
)
def test_names_are_counted_before_they_are_made(tmp_path, pattern, reason):
    with pytest.raises(OptionError) as caught:
        expand(pattern, option="shards", root=tmp_path)
    assert caught.value.option == "shards"
    assert reason in caught.value.reason


def test_a_glob_is_sorted_and_names_are_taken_once(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.tar").touch()
    assert [path.name for path in expand("*.tar", option="shards", root=tmp_path)] == [
        "a.tar",
        "b.tar",
        "c.tar",
    ]
    with pytest.raises(OptionError, match=r"names a.tar twice"):
        expand("{a,a}.tar", option="shards", root=tmp_path)


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_are_those_that_tarfile_finds(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w", format=kind) as archive:
        for number, name in enumerate(("a.png", "d/b.png", "x" * 60 + "/" + "y" * 90, "ü/ö.png")):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 700 * number, 1_700_000_000 + number
            archive.addfile(info, io.BytesIO(bytes(700 * number)))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    with tarfile.open(tmp_path / "a.tar") as archive:
        want = [(m.name, m.offset_data, m.size, m.mtime) for m in archive if m.isreg()]
    with (tmp_path / "a.tar").open("rb") as file:
        found = list(members(file.fileno(), (tmp_path / "a.tar").stat().st_size))
    assert [tuple(member) for member in found] == want


def test_a_size_beyond_octal_digits():
    info = tarfile.TarInfo("huge.png")
    info.size = 2**40
    header = parse_header(info.tobuf(tarfile.GNU_FORMAT))
    assert (header.name, header.size, header.kind) == ("huge.png", 2**40, tarfile.REGTYPE)


def test_images_go_to_processes_that_are_started_afresh(root):
    """There a process gets a copy, without what is open here."""
    shards(root, [3, 4])
    x = make(root).split("train").x
    assert torch.equal(pickle.loads(pickle.dumps(x))[:], x[:])
    assert torch.equal(x[torch.arange(7).repeat(5)], x[:].repeat(5, 1, 1, 1)), "by threads, in order"


# ---- a user's files: what is said, left out, held out, and how images become squares ----


def test_one_line_says_what_is_taken_and_what_is_left_out(root):
    shards(root, [6, 4])
    shards(root / "Validation", [3], name="part", start=20)
    for name in ("readme.md", "train-000.tar.zst", ".hidden"):
        (root / name).write_text("no shard")
    (root / "extra").mkdir()
    module = make(root, test_fraction=0.2)
    module.prepare()
    there, kept = module.notes
    assert there == (
        f"{root}: 13 images in 3 shards, 5 classes; train 8, val 3, test 2 (held out); "
        "passed over: 1 .md, 1 .zst, 1 folder, 1 hidden"
    )
    assert kept == f"{root}: the index is kept in {root.parent / '.images.ganvas'} (data.cache_dir)"


@pytest.mark.parametrize("name", ["Training-000.tar", "x_TESTING_1.tar"])
def test_shards_by_the_usual_names_of_splits(root, name):
    shards(root, [5])
    pack(root / name, sample(30))
    module = make(root)
    want = (list(range(5)), [30]) if "TEST" in name else ([30, *range(5)], [])
    assert (levels(module), levels(module, "test")) == want


def test_each_class_gives_its_share(root):
    """Of 0.png to 29.png, whose class is their number modulo 5, two of each class."""
    shards(root, [20, 10])
    module = make(root, val_fraction=1 / 3)
    held = levels(module, "val")
    assert np.bincount([level % 5 for level in held]).tolist() == [2] * 5
    assert sorted([*levels(module), *held]) == list(range(30))


def test_damaged_images_are_left_out_and_said(root, monkeypatch):
    contents = [part for row in range(20) for part in sample(row)]
    broken = {3, 17}
    pack(
        root / "train-000.tar",
        [(n, c[:40] if n.endswith("png") and int(n[:5]) in broken else c) for n, c in contents],
    )
    whole = [row for row in range(20) if row not in broken]
    with pytest.raises(OptionError, match=r"key 00003: cannot be read .*; mend it, or data.on_damaged=skip"):
        make(root).split("train").x[:]
    for _ in range(2):  # decoded, and from the index
        module = make(root, on_damaged="skip")
        assert levels(module) == whole
        assert module.split("train").label.tolist() == [row % 5 for row in whole]
        (said,) = [note for note in module.notes if "cannot be read" in note]
        assert said.startswith(
            f"{root}: 2 images cannot be read and are left out: train-000.tar, key 00003 ("
        )
        assert "train-000.tar, key 00017 (" in said
        monkeypatch.setattr(shard_index, "_Reader", None)  # a call would fail
    monkeypatch.undo()
    pack(root / "train-000.tar", [("a.png", b"0"), ("b.png", b"0")])
    with pytest.raises(OptionError, match="2 of 2 images cannot be read"):
        make(root, on_damaged="skip").prepare()


def test_what_was_damaged_for_a_pillow_is_looked_at_again_by_another(root, monkeypatch):
    """Whoever sees that images are left out installs what reads them."""
    gif = encoded(Image.new("L", (8, 8), 200), "gif")
    pack(root / "train-000.tar", [part for row in range(4) for part in sample(row, label=False)])
    pack(root / "train-001.tar", [("00004.gif", gif)])
    folder = root.parent / "folder"
    folder.mkdir()
    for name, content in (("a.png", png(0)), ("b.png", gif)):
        (folder / name).write_bytes(content)
    options = {"image_size": 8, "channels": 1, "batch_size": 1, "val_fraction": 0.0, "test_fraction": 0.0}

    def counts() -> tuple[int, int]:
        images = ImageFolder(root=str(folder), on_damaged="skip", **options)
        return make(root, on_damaged="skip").num_samples("train"), images.num_samples("train")

    with monkeypatch.context() as patch:
        patch.setattr(formats, "readable", lambda: {".png": "PNG"})
        assert counts() == (4, 1)
    assert counts() == (5, 2)


@pytest.mark.parametrize(
    ("option", "value"), [("crop", "pad"), ("crop", "stretch"), ("background", "white"), ("max_pixels", 200)]
)
def test_an_option_of_decoding_is_that_of_a_folder_and_of_the_datas_identity(root, tmp_path, option, value):
    noise = np.random.default_rng(1).integers(0, 256, (6, 12, 4), dtype=np.uint8)
    files = [("0.png", encoded(Image.fromarray(noise)))]
    pack(root / "train-0.tar", files)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "0.png").write_bytes(files[0][1])
    options = {"batch_size": 1, "image_size": 6, "val_fraction": 0.0, "test_fraction": 0.0, "channels": 3}
    got, usual = make(root, **options, **{option: value}), make(root, **options)
    want = ImageFolder(root=str(tmp_path / "folder"), **options, **{option: value})
    assert torch.equal(got.split("train").x[:], want.split("train").x)
    assert got.fingerprint()["train_sha256"] != usual.fingerprint()["train_sha256"]
    same_pixels = torch.equal(got.split("train").x[:], usual.split("train").x[:])
    assert same_pixels == (option == "max_pixels")


# ---- images that are none ----


def npy(shape: object, data: bytes = b"", kind: str = "'|u1'") -> bytes:
    """An .npy file with any header."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.npy", npy("(0, 0)"), "it is 0 x 0 pixels large"),
        ("a.npy", npy("(0, 5, 3)"), "it is 5 x 0 pixels large"),
        ("a.npy", npy("(-8, -8)", b"1" * 64), "it is -8 x -8 pixels large"),
        ("a.npy", npy("(1000000, 1000000)"), "above the limit of"),
        ("a.npy", npy("(4000, 4000, 4)", b"1"), "whose data have 1 bytes"),
        ("a.npy", npy("(True, 1)", b"1"), "it must be uint8"),
        ("a.npy", npy("(8, 8)", b"1" * 64, "'|O'"), "it must be uint8"),
        ("a.npy", npy("(" * 500 + ")" * 500), "cannot be read as an image"),
        ("a.npy", b"\x93NUMPY\x09\x00", "an .npy of version"),
        ("a.png", b"P5 0 5 255\n", "cannot be read as an image"),
        ("a.png", b"GIF89a\0\0\0\0\0\0\0;", "cannot be read as an image"),
    ],
)
def test_an_image_of_no_or_absurd_size_is_named(root, name, content, reason):
    pack(root / "train.tar", [(name, content)])
    with pytest.raises(OptionError, match=r"shard train\.tar, key a: cannot be read as an image") as caught:
        make(root, batch_size=1).split("train").x[:1]
    assert reason in caught.value.reason
    assert "division" not in caught.value.reason


def test_an_npy_by_columns(root):
    array = np.asfortranarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    file = io.BytesIO()
    np.save(file, array)
    pack(root / "train.tar", [("a.npy", file.getvalue())])
    assert make(root, batch_size=1).split("train").x[:1][0, 0].tolist() == array.tolist()


def test_a_member_larger_than_any_image_is_not_read(root):
    pack(root / "train.tar", [("a.png", png(1))])
    module = make(root, batch_size=1)
    module.prepare()
    index = module.split("train").x.index
    index.length[:] = 2**40
    with pytest.raises(OptionError, match=r"key a: has 1,099,511,627,776 bytes, more than .*max_pixels"):
        module.split("train").x[:1]

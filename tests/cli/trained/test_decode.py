"""``ganvas decode``: the pictures of a file of codes, by the run that wrote it and no other."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from refusal import contents, refused

from ganvas import load
from ganvas.functional.images import to_float

pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")

Ganvas = Callable[..., Any]
SIZES = [(8, 8), (1, 1), (3, 20), (17, 8), (9, 9)]  # height and width


def save_pictures(folder: Path, mode: str = "RGB") -> list[np.ndarray]:
    """Pictures of several sizes, smooth with noise; what is in them."""
    folder.mkdir()
    draws, found = np.random.default_rng(3), []
    for number, (height, width) in enumerate(SIZES):
        rows, columns = np.mgrid[:height, :width]
        shape = (height, width, 3) if mode == "RGB" else (height, width)
        base = (rows * 9 + columns * 5)[..., None] if mode == "RGB" else rows * 9 + columns * 5
        pixels = np.clip(base + draws.integers(0, 30, shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        found.append(pixels)
    return found


def pictures(folder: str) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(Path(folder).iterdir())]


@pytest.mark.parametrize("name", ["grey", "prior", "residual", "colour"])
def test_lossless_pictures_of_any_size_come_back_to_the_byte(
    name: str, ganvas: Ganvas, coded: Path, tmp_path: Path
) -> None:
    originals = save_pictures(tmp_path / "mine", "RGB" if name == "colour" else "L")
    run = f"{coded}/train/{name}"
    said = ganvas("encode", run, "mine", "--lossless", "--out", "x.gvq").stdout
    assert said.startswith("5 images of 1 x 1 to 17 x 8 in ")
    assert "residual" in said
    assert "lossless; PSNR of the codes alone" in said
    done = ganvas("decode", "x.gvq", run, "--out", "made/there")
    assert done.stdout == "made/there\n"
    assert [path.name for path in sorted(Path("made/there").iterdir())] == [f"{n:06}.png" for n in range(5)]
    for made, original in zip(pictures("made/there"), originals, strict=True):
        assert made.dtype == original.dtype
        assert np.array_equal(made, original)


def test_a_colour_picture_is_kept_as_the_grey_one_that_was_read(
    ganvas: Ganvas, coded: Path, tmp_path: Path
) -> None:
    save_pictures(tmp_path / "mine")
    ganvas("encode", f"{coded}/train/grey", "mine/4.png", "mine/2.png", "--lossless", "--out", "x.gvq")
    ganvas("decode", "x.gvq", f"{coded}/train/grey", "--out", "made")
    for made, number in zip(pictures("made"), (4, 2), strict=True):
        with Image.open(f"mine/{number}.png") as image:
            assert np.array_equal(made, np.asarray(image.convert("L")))


def test_without_the_residual_they_are_what_the_run_reconstructs_tile_by_tile(
    ganvas: Ganvas, coded: Path, tmp_path: Path
) -> None:
    originals = save_pictures(tmp_path / "mine", "L")
    run = coded / "train/grey"
    said = ganvas("encode", str(run), "mine", "--out", "x.gvq").stdout
    ganvas("decode", "x.gvq", str(run), "--out", "made", "--batch-size", "2")
    made, loaded = pictures("made"), load(run)
    for picture, original in zip(made, originals, strict=True):
        height, width = original.shape
        down, right = -height % 8, -width % 8
        padded = np.pad(original, ((0, down), (0, right)), mode="edge")
        for top in range(0, height, 8):
            for left in range(0, width, 8):
                tile = padded[None, None, top : top + 8, left : left + 8].copy()
                expected = loaded.reconstruct(to_float(torch.from_numpy(tile))).x[0, 0].numpy()
                own = picture[top : top + 8, left : left + 8]
                inside = expected[: own.shape[0], : own.shape[1]]
                assert np.abs(own - (inside + 1) * 127.5).max() < 0.51
    off = [(one.astype(float) - original) ** 2 for one, original in zip(made, originals, strict=True)]
    mean = np.concatenate([one.ravel() for one in off]).mean()  # what lies beyond a picture does not count
    assert f"PSNR of what it decodes to: {10 * np.log10(255**2 / mean):.2f} dB" in said


@pytest.mark.parametrize("level", [1, 2])
def test_levels_are_decoded_as_far_as_they_are_there(level: int, ganvas: Ganvas, coded: Path) -> None:
    run = coded / "train/residual"
    words = ("encode", str(run), "--split", "test", "--num", "6", "--level", str(level))
    ganvas(*words, "--out", "x.gvq")
    ganvas("decode", "x.gvq", str(run), "--out", "x.npz")
    loaded = load(run)
    x = next(iter(loaded.data.batches("test", 6, 6))).x
    expected = loaded.decode(loaded.encode(x), levels=level)
    made = np.load("x.npz")["images"]
    assert np.abs(made - (expected.permute(0, 2, 3, 1).numpy() + 1) * 127.5).max() < 0.51


def test_labels_are_kept(ganvas: Ganvas, coded: Path) -> None:
    run = coded / "train/prior"
    words = ("encode", str(run), "--split", "test", "--num", "12", "--out", "x.gvq")
    ganvas(*words, "--labels")
    ganvas("decode", "x.gvq", str(run), "--out", "x.npz")
    expected = load(run).data.source.split("test").label[:12]
    assert np.load("x.npz")["labels"].tolist() == expected.tolist()
    ganvas(*words, "--overwrite")
    ganvas("decode", "x.gvq", str(run), "--out", "x.npz", "--overwrite")
    assert set(np.load("x.npz")) == {"images"}


@pytest.mark.parametrize(("name", "decodes"), [("prior", "prior"), ("grey", None)])
def test_the_run_is_found_by_its_weights(
    name: str, decodes: str | None, ganvas: Ganvas, coded: Path, tmp_path: Path
) -> None:
    ganvas("encode", f"{coded}/train/{name}", "--split", "test", "--num", "3", "--out", "x.gvq")
    done = ganvas("decode", "x.gvq", "--output-dir", str(coded), "--out", "x.npz")
    assert done.stderr.startswith(f"x.gvq: {coded}/train/")
    if decodes is not None:  # the codes of a tokenizer alone are decoded by its priors too
        assert done.stderr == f"x.gvq: {coded}/train/{decodes} wrote it\n"
    shutil.copytree(coded, "others")
    for run in ("prior", "grey", "masked"):
        shutil.rmtree(f"others/train/{run}")
    line = ["decode", "x.gvq", "--output-dir", "others", "--out", "y.npz"]
    told = refused(ganvas, tmp_path, line, "FILE", "=x.gvq: was written by a model of hash ")
    assert "which none of 2 runs under others has" in told


def test_decoding_needs_no_data(ganvas: Ganvas, tmp_path: Path) -> None:
    save_pictures(tmp_path / "mine")
    ganvas(
        *("train", "model=mlp_vqvae", "data=image_folder", "data.root=mine", "data.layout=flat"),
        *("data.image_size=8", "data.batch_size=2", "trainer.max_examples=8", "callback=none"),
        *("logger=none", "data.val_fraction=0", "data.test_fraction=0", "paths.run_dir=run"),
    )
    ganvas("encode", "run", "mine", "--lossless", "--out", "x.gvq")
    with_data = ganvas("decode", "x.gvq", "run", "--out", "a")
    shutil.rmtree("mine")
    assert ganvas("decode", "x.gvq", "run", "--out", "b").stdout == "b\n"
    assert with_data.returncode == 0
    assert all(np.array_equal(*pair) for pair in zip(pictures("a"), pictures("b"), strict=True))


@pytest.fixture
def written(ganvas: Ganvas, coded: Path, tmp_path: Path) -> Path:
    """The folder with x.gvq, of the prior, and a picture beside it."""
    save_pictures(tmp_path / "mine", "L")
    ganvas("encode", f"{coded}/train/prior", "mine", "--lossless", "--out", "x.gvq")
    return tmp_path


@pytest.mark.parametrize(
    ("run", "part"),
    [
        ("a_gan", "has no codes; it must be the run that encoded the file"),
        ("grey", "was written by another model: "),
        ("masked", "was written by another model: "),
        ("colour", "was written by another model: "),
    ],
)
def test_another_run_is_refused(run: str, part: str, ganvas: Ganvas, coded: Path, written: Path) -> None:
    path = f"{coded}/train/{run}"
    key, value = ("RUN", path) if run == "a_gan" else ("FILE", "x.gvq")
    refused(ganvas, written, ["decode", "x.gvq", path, "--out", "made"], key, f"={value}: {part}")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: content[:-1], "is cut"),
        (lambda content: content[:40], "is cut"),
        (lambda content: content + b"x", "goes on after its end"),
        (lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:], "the CRC of residual 0"),
        (lambda content: content[:30] + bytes([content[30] ^ 1]) + content[31:], "its CRC is wrong"),
        (lambda content: Path("mine/0.png").read_bytes(), "is no file of codes"),
    ],
)
def test_a_damaged_file_is_refused(
    change: Callable[[bytes], bytes], part: str, ganvas: Ganvas, coded: Path, written: Path
) -> None:
    Path("y.gvq").write_bytes(change(Path("x.gvq").read_bytes()))
    line = ["decode", "y.gvq", f"{coded}/train/prior", "--out", "made"]
    refused(ganvas, written, line, "FILE", "=y.gvq: ", part)


def test_what_a_right_checksum_hides_is_refused(ganvas: Ganvas, coded: Path, written: Path) -> None:
    """A file that was changed and sealed again: its streams decode to what their own CRCs do not say."""
    content = bytearray(Path("x.gvq").read_bytes())
    at = content.index(b"\x89GVQ") + 6  # magic, version, length of the header
    end = at + content[5]
    content[at] = 1  # written with counts, it says
    content[end : end + 4] = zlib.crc32(content[:end]).to_bytes(4, "little")
    Path("y.gvq").write_bytes(bytes(content))
    line = ["decode", "y.gvq", f"{coded}/train/prior", "--out", "made"]
    refused(ganvas, written, line, "FILE", "=y.gvq: was written by another model")


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("x.gvq {run} --out mine", "--out", "is not empty; name a new folder"),
        ("x.gvq {run} --out x.gvq", "--out", "is there already; --overwrite writes over it"),
        ("x.gvq {run} --out there.npz", "--out", "is there already; --overwrite"),
        ("x.gvq {run} --out new.npz", "--out", "samples of one size"),
        ("x.gvq {run} --out new --overwrite", "--overwrite", "=True: is of a file"),
        ("nothing.gvq {run} --out new", "FILE", "=nothing.gvq: cannot be read"),
        ("mine {run} --out new", "FILE", "=mine: is no regular file"),
        ("x.gvq nothing --out new", "RUN", "=nothing: "),
        ("x.gvq {run} --out new --batch-size 0", "--batch-size", "at least 1"),
    ],
)
def test_what_cannot_be_written_is_refused(
    words: str, key: str, part: str, ganvas: Ganvas, coded: Path, written: Path
) -> None:
    Path("there.npz").write_bytes(b"")
    line = ["decode", *words.format(run=f"{coded}/train/prior").split()]
    refused(ganvas, written, line, key, part)


def test_a_disk_that_fills_leaves_nothing(
    ganvas: Ganvas, coded: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(written)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganvas.files.write.Workshop.sync", full)
    told = ganvas("decode", "x.gvq", f"{coded}/train/prior", "--out", "a/b", code=1).stderr
    assert told.startswith("--out=a/b: cannot be written (No space left on device)")
    assert contents(written) == before

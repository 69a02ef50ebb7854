"""``ganvas encode``: what a file takes, what it says of itself, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusal import refused

from ganvas import load
from ganvas.codec.account import account
from ganvas.codec.container import Coder, read_container
from ganvas.functional.images import to_uint8

pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")

Ganvas = Callable[..., Any]


def numbers(text: str, pattern: str) -> list[float]:
    """The groups of a pattern in what a command printed."""
    found = re.search(pattern, text)
    assert found is not None, text
    return [float(one.replace(",", "")) for one in found.groups()]


def psnr_of(path: str, original: np.ndarray) -> float:
    made = np.load(path)["images"].astype(float)
    return 10 * np.log10(255**2 / ((made - original) ** 2).mean())


def digits(run: Path, num: int) -> np.ndarray:
    """The first test samples, uint8 [num, H, W, C]."""
    data = load(run).data
    data = getattr(data, "source", data)
    return to_uint8(next(iter(data.batches("test", num, num))).x).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", ["grey", "residual", "colour", "prior"])
def test_what_is_said_of_a_file_is_so(name: str, ganvas: Ganvas, coded: Path) -> None:
    run = coded / "train" / name
    said = ganvas("encode", str(run), "--split", "test", "--num", "40", "--out", "new/x.gvq").stdout
    ganvas("decode", "new/x.gvq", str(run), "--out", "x.npz")
    size = Path("new/x.gvq").stat().st_size
    original = digits(run, 40)
    assert np.load("x.npz")["images"].shape == original.shape
    images, written, header = numbers(said, r"^(\d+) images of 8 x 8 in ([\d,]+) bytes, (\d+) of header")
    assert (images, written) == (40, size)
    bits, codes, of_header, dim = numbers(
        said, r"([\d.]+) bits an image \(codes ([\d.]+), header ([\d.]+)\), ([\d.]+) bits/dim"
    )
    assert bits == pytest.approx(8 * size / 40, abs=0.006)
    assert dim == pytest.approx(8 * size / original.size, abs=6e-5)
    assert codes + of_header == pytest.approx(bits, abs=0.011)
    assert header == 8 * of_header / 8 * 40 / 8
    (psnr,) = numbers(said, r"PSNR of what it decodes to: ([\d.]+) dB")
    assert psnr == pytest.approx(psnr_of("x.npz", original), abs=0.006)
    assert said.endswith("\nnew/x.gvq\n")
    file = read_container("new/x.gvq")
    assert file.coder is (Coder.PRIOR if name == "prior" else Coder.COUNTS)
    assert header == account(file).header / 8 < 80


def test_the_codes_are_those_of_the_run_and_cost_what_the_prior_says(ganvas: Ganvas, coded: Path) -> None:
    ganvas("encode", f"{coded}/train/prior", "--split", "test", "--num", "150", "--out", "x.gvq")
    ganvas("encode", f"{coded}/train/prior", "--split", "test", "--num", "150", "--labels", "--out", "y.gvq")
    model = load(coded / "train/prior").model
    batch = next(iter(model.tokenizer.data.batches("test", 150, 150)))
    codes = model.tokenizer.encode(batch.x)
    none = batch.label.new_full((150,), 10)
    for path, label, of_label in (("x.gvq", none, 0.0), ("y.gvq", batch.label, np.log2(11))):
        bits = float(model.bits(codes, label).double().sum()) + 150 * of_label
        assert 0.998 * bits - 32 < account(read_container(path)).codes < 1.002 * bits + 64


def test_the_same_pictures_make_the_same_file(ganvas: Ganvas, coded: Path) -> None:
    words = ("encode", f"{coded}/train/prior", "--split", "test", "--num", "30")
    ganvas(*words, "--out", "x.gvq")
    ganvas(*words, "--out", "y.gvq", "--batch-size", "7")
    assert Path("x.gvq").read_bytes() == Path("y.gvq").read_bytes()
    refused(ganvas, Path(), [*words, "--out", "x.gvq"], "--out", "is there already")
    ganvas(*words[:-1], "31", "--out", "x.gvq", "--overwrite")
    assert Path("x.gvq").read_bytes() != Path("y.gvq").read_bytes()


def test_fewer_levels_take_fewer_bits(ganvas: Ganvas, coded: Path, tmp_path: Path) -> None:
    run = coded / "train/residual"
    words = ["encode", str(run), "--split", "test", "--num", "50"]
    for level in ("1", "2"):
        ganvas(*words, "--level", level, "--out", f"{level}.gvq")
    ganvas(*words, "--out", "all.gvq")
    assert Path("2.gvq").read_bytes() == Path("all.gvq").read_bytes()
    one, two = (account(read_container(f"{level}.gvq")).codes for level in "12")
    assert 0.3 * two < one < 0.7 * two
    refused(ganvas, tmp_path, [*words, "--level", "3", "--out", "x.gvq"], "--level", "codes of 2 levels")
    refused(ganvas, tmp_path, [*words, "--level", "0", "--out", "x.gvq"], "--level", "at least 1")


def test_a_prior_codes_all_levels_together(ganvas: Ganvas, coded: Path, tmp_path: Path) -> None:
    ganvas(
        *("train", "model=autoregressive", "model/prior=pixelcnn", "data=codes", "callback=none"),
        *("logger=none", f"data.tokenizer={coded}/train/residual", "paths.run_dir=run"),
        *("model.prior.channels=8", "model.prior.layers=1", "trainer.max_examples=64"),
    )
    words = ["encode", "run", "--split", "test", "--num", "9"]
    refused(
        *(ganvas, tmp_path, [*words, "--level", "1", "--out", "x.gvq"], "--level"),
        "a prior codes all 2 levels together; ganvas encode run/tokenizer takes fewer",
    )
    ganvas(*words, "--level", "2", "--out", "x.gvq")
    ganvas("decode", "x.gvq", "run", "--out", "x.npz")
    ganvas("encode", "run/tokenizer", *words[2:], "--level", "1", "--out", "y.gvq")
    ganvas("decode", "y.gvq", "run", "--out", "y.npz")
    assert not np.array_equal(np.load("x.npz")["images"], np.load("y.npz")["images"])


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("{o}/train/a_gan flat --out x.gvq", "RUN", "={o}/train/a_gan: has no codes"),
        ("{o}/train/masked flat --out x.gvq", "RUN", "={o}/train/masked: sees all codes of an image at once"),
        ("{o}/train/grey flat --out x.png", "--out", "must end in .gvq"),
        ("{o}/train/grey flat --out flat", "--out", "must end in .gvq"),
        ("{o}/train/grey --out x.gvq", "FILES", "=: names no files"),
        ("{o}/train/grey flat --split test --out x.gvq", "FILES", "=flat: are named, and --split too"),
        ("{o}/train/grey flat --num 3 --out x.gvq", "--num", "is of --split"),
        ("{o}/train/grey flat --labels --out x.gvq", "--labels", "=True: is of --split"),
        ("{o}/train/grey --split test --labels --out x.gvq", "--labels", "=True: the run has no prior"),
        ("{o}/train/grey --split test --num 9999 --out x.gvq", "--num", "the test split holds"),
        ("{o}/train/grey nothing.png --out x.gvq", "FILES", "=nothing.png: is no file"),
        (
            "{o}/train/grey flat/0.png none.png --out x.gvq",
            "FILES",
            "=none.png: cannot be read as an image",
        ),
        ("{o}/train/grey empty.png --out x.gvq", "FILES", "=empty.png: cannot be read as an image"),
        ("{o}/train/grey bare --out x.gvq", "FILES", "=bare: holds no images"),
        ("{o}/train/grey flat --level 2 --out x.gvq", "--level", "it has one level"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    words: str, key: str, part: str, ganvas: Ganvas, coded: Path, there: Path
) -> None:
    (there / "bare").mkdir()
    (there / "none.png").write_text("no picture")
    (there / "empty.png").write_bytes(b"")
    line = ["encode", *words.format(o=coded).split()]
    refused(ganvas, there, line, key, part.format(o=coded))


def test_without_constriction_the_extra_is_named(
    ganvas: Ganvas, coded: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    line = ["encode", f"{coded}/train/grey", "flat", "--out", "x.gvq"]
    part = "=encode: needs constriction, not installed here; pip install 'ganvas[codec]'"
    refused(ganvas, there, line, "command", part)


def test_a_prior_that_knows_classes_alone_says_so(ganvas: Ganvas, coded: Path) -> None:
    ganvas(
        *("train", "model=autoregressive", "data=codes", "model.conditional=true", "model.prior.width=8"),
        *("model.prior.depth=1", "model.prior.heads=1", "model.label_dropout=0", "callback=none"),
        *(
            "logger=none",
            f"data.tokenizer={coded}/train/grey",
            "paths.run_dir=run",
            "trainer.max_examples=64",
        ),
    )
    words = ("encode", "run", "--split", "test", "--num", "3", "--out", "x.gvq")
    assert ganvas(*words).stderr.startswith(
        "the prior has learnt codes by class alone (model.label_dropout=0)"
    )
    assert ganvas(*words, "--labels", "--overwrite").stderr == ""


def test_points_are_no_pictures(ganvas: Ganvas, tmp_path: Path) -> None:
    ganvas(
        *("train", "model=mlp_vqvae", "data=toy", "callback=none", "logger=none", "paths.run_dir=run"),
        *("trainer.max_examples=64", "data.num_train=256", "data.num_val=64", "data.num_test=64"),
    )
    line = ["encode", "run", "--split", "test", "--out", "x.gvq"]
    refused(ganvas, tmp_path, line, "RUN", "=run: has codes of samples [2], which have no files")


@pytest.mark.slow
@pytest.mark.real_processes
@pytest.mark.parametrize("kind", [(), ("--lossless",)])
def test_processes_of_other_threads_read_each_others_files(
    kind: tuple[str, ...], coded: Path, tmp_path: Path, there: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (61, 45, 3), dtype=np.uint8)
    Image.fromarray(noise).save(there / "flat/x.png")

    def run(threads: int, *words: str) -> None:
        program = (
            f"import torch; torch.set_num_threads({threads})\nfrom ganvas.cli.main import entry\nentry()"
        )
        subprocess.run([sys.executable, "-c", program, *words], check=True, cwd=tmp_path)

    prior = f"{coded}/train/prior"
    run(1, "encode", prior, "flat", "--out", "one.gvq", *kind)
    run(2, "encode", prior, "flat", "--out", "two.gvq", *kind)
    assert (tmp_path / "one.gvq").read_bytes() == (tmp_path / "two.gvq").read_bytes()
    for threads in (1, 2):
        run(threads, "decode", "one.gvq", prior, "--out", f"pictures{threads}")
    for path in sorted((tmp_path / "pictures1").iterdir()):
        assert path.read_bytes() == (tmp_path / "pictures2" / path.name).read_bytes()
    assert len(list((tmp_path / "pictures1").iterdir())) == 6


def test_options_may_stand_between_the_run_and_its_files(ganvas: Ganvas, coded: Path, there: Path) -> None:
    (there / "conf").mkdir()
    run = f"{coded}/train/grey"
    ganvas(
        "encode",
        run,
        "--config-dir",
        "conf",
        "flat/0.png",
        "--batch-size",
        "7",
        "flat/1.png",
        "--out",
        "x.gvq",
    )
    ganvas("encode", run, "flat/0.png", "flat/1.png", "--out", "y.gvq")
    assert Path("x.gvq").read_bytes() == Path("y.gvq").read_bytes()

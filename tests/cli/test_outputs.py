"""What every command writes is whole or as it was, and a disk that fails is one line and exit code 1."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from forged_runs import forge

FULL = "(File too large)"  # what RLIMIT_FSIZE says
LIMIT = 100  # bytes: less than any of the outputs

# words, the option, its file, what is printed all the same
OUTPUTS = [
    (["sample", "a_gan", "--num", "9"], "--out", "x.png", ""),
    (["sample", "a_gan", "--num", "9"], "--out", "x.webp", ""),
    (["sample", "a_gan", "--num", "9"], "--out", "x.npz", ""),
    (["interpolate", "a_gan"], "--out", "x.jpg", ""),
    (["interpolate", "a_gan"], "--out", "x.npz", ""),
    (["walk", "a_gan"], "--out", "x.gif", ""),
    (["walk", "a_gan"], "--out", "x.png", ""),
    (["neighbours", "a_gan"], "--out", "x.png", "nearest: "),
    (["neighbours", "a_gan"], "--out", "x.npz", "nearest: "),
    (["export", "a_gan"], "--out", "x.safetensors", ""),
    (["reconstruct", "b_vqvae"], "--out", "x.png", ""),
    (["reconstruct", "b_vqvae"], "--out", "x.npz", ""),
    (["reconstruct", "b_vqvae", "--out", "F.png"], "--codes", "x.png", ""),
    (["codes", "b_vqvae"], "--out", "x.png", "codes in use by"),
    (["codes", "b_vqvae"], "--out", "x.npz", "codes in use by"),
    (["codes", "b_vqvae"], "--out", "x.csv", "codes in use by"),
    (["codes", "b_vqvae", "--swap", "0,1"], "--out", "x.png", ""),
    (["encode", "b_vqvae", "--split", "test", "--overwrite"], "--out", "x.gvq", ""),
    (["compare", "c1", "c2"], "--csv", "x.csv", "neighbours by Welch's test"),
    (["compare", "c1", "c2"], "--json", "x.json", "neighbours by Welch's test"),
    (["compare", "c1", "c2"], "--html", "x.html", "neighbours by Welch's test"),
    (["compare", "c1", "c2", "--html", "x.html", "--json"], "--html", "x.html", '"metrics"'),
    (["plot", "c1"], "--out", "x.png", ""),
    (["plot", "c1"], "--out", "x.pdf", ""),
    (["plot", "c1"], "--out", "x.svg", ""),
    (["plot", "--rate-distortion", "b_vqvae", "--num", "4"], "--table", "x.csv", "bits an image"),
    (["plot", "--rate-distortion", "b_vqvae", "--num", "4"], "--out", "x.svg", "bits an image"),
]


@contextlib.contextmanager
def full_disk(limit: int = LIMIT) -> Iterator[None]:
    """No file gets longer than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def runs(outputs: Path, tmp_path: Path) -> Path:
    """Runs to read, in a folder where they may be changed."""
    (tmp_path / "outputs").mkdir()
    for name in ("a_gan", "b_vqvae"):
        (tmp_path / "outputs" / name).symlink_to(outputs / "train" / name)
    curves = [{"examples": 64 * i, "tag": "loss/g", "value": 1.0 / i} for i in range(1, 9)]
    for name, fid in (("c1", 1.0), ("c2", 2.0)):
        rows = [{"examples": row["examples"], "loss/generator": row["value"]} for row in curves]
        forge(tmp_path / "outputs" / "train" / name, fid=fid, seed=int(fid), curves=rows)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(("words", "option", "name", "said"), OUTPUTS, ids=lambda one: str(one)[:40])
def test_a_full_disk_is_one_line_and_nothing_is_lost(
    words: list[str], option: str, name: str, said: str, ganvas, runs: Path
) -> None:
    words = [str(runs / "outputs" / one) if one in ("a_gan", "b_vqvae") else one for one in words]
    words = [str(runs / "outputs" / "train" / one) if one in ("c1", "c2") else one for one in words]
    (runs / name).write_text("old")
    ganvas(*words, *([] if name in words else [option, name]))  # caches of fonts and the like are there
    (runs / name).write_text("old")
    before = contents(runs)
    first = "F.png" in words
    with full_disk(100_000 if first else LIMIT):
        if first:
            (runs / name).unlink()
            (runs / name).mkdir()  # the first file fits, the second cannot be written
            assert "is a folder" in ganvas(*words, option, name, code=2).stderr
            return
        done = ganvas(*words, *([] if name in words else [option, name]), code=1)
    (line,) = done.stderr.splitlines()
    assert line == f"{option}={name}: cannot be written {FULL}; name another, or make room"
    assert said in done.stdout
    assert contents(runs) == before


def test_samples_as_files_are_all_there_or_none(ganvas, runs: Path) -> None:
    words = ["sample", str(runs / "outputs" / "a_gan"), "--num", "9", "--out"]
    before = contents(runs)
    with full_disk():
        line = ganvas(*words, "new/deep/", code=1).stderr
        assert line == f"--out=new/deep: cannot be written {FULL}; name another, or make room\n"
    assert contents(runs) == before
    assert not (runs / "new").exists()
    (runs / "there").mkdir()
    ganvas(*words, "there/")
    before = contents(runs)
    with full_disk():
        ganvas(*words, "there/", "--overwrite", "--seed", "2", code=1)
    assert contents(runs) == before


def test_shards_and_starters_are_all_there_or_none(ganvas, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for out in ("empty", "new/x"):
        for words, option in ((["shards", "data=digits", "--out", out], "--out"), (["init", out], "FOLDER")):
            with full_disk():
                line = ganvas(*words, code=1).stderr
            assert line == f"{option}={out}: cannot be written {FULL}; name another, or make room\n"
            assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("way", [[], ["--json"]])
def test_metrics_that_cannot_be_recorded_are_printed(way: list[str], ganvas, runs: Path) -> None:
    run = runs / "outputs" / "a_gan"
    words = ["evaluate", str(run), "--num", "50", *way]
    told = ganvas(*words).stdout
    (run / "evaluations.jsonl").unlink()
    with full_disk():
        done = ganvas(*words, code=1)
    assert done.stdout == told
    rest = f"cannot be written {FULL}; make room; the metrics are printed and in no file\n"
    assert done.stderr == f"RUN={run}/evaluations.jsonl: {rest}"
    assert (run / "evaluations.jsonl").read_bytes() == b""
    (run / "evaluations.jsonl").unlink()


def test_one_of_several_files_that_fails_leaves_the_others(ganvas, runs: Path) -> None:
    words = ["compare", *(str(runs / "outputs" / "train" / one) for one in ("c1", "c2"))]
    ganvas(*words, "--csv", "x.csv", "--html", "x.html")
    small, large = (runs / "x.csv").stat().st_size, (runs / "x.html").stat().st_size
    assert small < large
    (runs / "x.csv").unlink()
    with full_disk(small):
        done = ganvas(*words, "--csv", "x.csv", "--html", "x.html", code=1)
    assert done.stderr == f"--html=x.html: cannot be written {FULL}; name another, or make room\n"
    assert done.stdout.endswith("\nx.csv\n")
    assert ((runs / "x.csv").stat().st_size, (runs / "x.html").stat().st_size) == (small, large)


@pytest.mark.parametrize("debug", [False, True])
def test_a_disk_that_fails_anywhere_is_one_line(
    debug: bool, ganvas, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: list[str]) -> int:
        raise OSError(errno.EIO, "Input/output error", "/some/file\x1b")

    monkeypatch.setattr("ganvas.cli.runs.runs.run", fail)
    if debug:
        with pytest.raises(OSError, match="Input/output"):
            ganvas("runs", "ls", "--debug")
        return
    line = ganvas("runs", "ls", code=1).stderr
    rest = "cannot be read or written (Input/output error); make room, or mend its disk or permissions\n"
    assert line == f"/some/file?: {rest}"


NAMES = [
    ("x" * 300, "has a name of 3"),
    ("a\0b", "holds a NUL byte"),
    ("a\nb", "has a letter in its name that cannot be shown ('\\n')"),
    ("a\x1b[2J", "has a letter in its name that cannot be shown ('\\x1b')"),
    ("a\udcff", "has a letter in its name that cannot be shown ('\\udcff')"),
    ("y/" * 2100 + "x", "cannot be named so (File name too long)"),
    ("folder", ""),  # sample takes one, unless there are images in it
    ("pipe", "is a pipe or a device; name a file"),
    ("file/x", "file is a file; name a folder"),
]


@pytest.mark.parametrize(("name", "why"), NAMES, ids=lambda one: ascii(one)[:20])
@pytest.mark.parametrize(
    ("words", "option", "ending"),
    [
        (["sample", "a_gan"], "--out", ".png"),
        (["reconstruct", "b_vqvae"], "--codes", ".png"),
        (["walk", "a_gan"], "--out", ".gif"),
        (["export", "a_gan"], "--out", ".safetensors"),
        (["plot", "a_gan"], "--out", ".svg"),
        (["compare", "a_gan", "b_vqvae"], "--csv", ".csv"),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_name_that_no_file_can_have_is_refused_before_anything_is_computed(
    words: list[str],
    option: str,
    ending: str,
    name: str,
    why: str,
    ganvas,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the run is loaded")

    monkeypatch.setattr("ganvas.run.load.load_run", never)
    words = [str(runs / "outputs" / one) if one in ("a_gan", "b_vqvae") else one for one in words]
    (runs / f"folder{ending}").mkdir()
    (runs / f"folder{ending}" / "x.png").touch()
    os.mkfifo(runs / f"pipe{ending}")
    (runs / "file").touch()
    before = sorted(os.listdir(runs))
    (line,) = ganvas(*words, option, f"{name}{ending}", code=2).stderr.splitlines()
    assert line.startswith(f"{option}={name[0]}")
    assert why in line
    assert sorted(os.listdir(runs)) == before


@pytest.mark.parametrize(
    "name", ["x" * 300, "a\nb", "a\udcff", "file", "file/x"], ids=lambda one: ascii(one)[:9]
)
def test_a_name_that_no_folder_can_have(name: str, ganvas, runs: Path) -> None:
    (runs / "file").touch()
    for words in (
        ["sample", str(runs / "outputs" / "a_gan"), "--out", f"{name}/"],
        ["shards", "data=digits", "--out", name],
        ["init", name],
        ["train", "trainer=smoke", f"paths.run_dir='{name}'"] if name.isprintable() else ["init", name],
    ):
        if name == "file" and words[0] == "train":
            continue  # it exists, and each run needs a folder of its own
        (line,) = ganvas(*words, code=2).stderr.splitlines()
        assert "; " in line
    assert sorted(os.listdir(runs)) == ["file", "outputs"]


def test_a_name_in_another_script_is_taken(ganvas, runs: Path) -> None:
    name = "\u0645\u06cc\u200c\u062e \u00e4 \U0001f469\u200d\U0001f52c.png"
    ganvas("sample", str(runs / "outputs" / "a_gan"), "--num", "1", "--out", name)
    assert (runs / name).is_file()

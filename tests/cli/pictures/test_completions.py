"""``ganvas pictures --kind complete`` of sounds and texts, against what the run itself completes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from heard_and_read import CLIP, LETTERS, RATE
from refusal import refused

import ganvas as library
from ganvas.cli.main import main
from ganvas.modality.partial import HIDDEN
from ganvas.play.work.asked import Asked
from ganvas.play.work.prior import PriorDesk

_BEGINNING = "the cat \u00e9"  # nine letters, ten bytes


def arrays(ganvas: Any, *words: object) -> dict[str, np.ndarray]:
    ganvas("pictures", *map(str, words), "--kind", "complete", "--out", "x.npz")
    return dict(np.load("x.npz"))


@pytest.mark.parametrize(
    ("name", "given"), [("speech", None), ("filled", "second"), ("written", "first"), ("bytes", None)]
)
def test_completions_keep_the_given_half(
    name: str, given: str | None, ganvas: Any, heard_and_read: Path
) -> None:
    words = ["--num", 2, "--completions", 3, "--seed", 4, "--split", "val", "--batch-size", 4]
    found = arrays(ganvas, heard_and_read / name, *words, *([] if given is None else ["--given", given]))
    run: Any = library.load(heard_and_read / name)
    kind, tokenizer = run.data.modality, run.model.tokenizer
    batch = next(run.data.codes("val", 2, 2))
    known = torch.from_numpy(found["known"])
    half = len(known) // 2
    assert known.tolist() == ([False] * half + [True] * half)[:: -1 if given != "second" else 1]
    codes = run.model.complete(batch.x.repeat_interleave(3, 0), known, 4)
    assert torch.equal(torch.from_numpy(found["codes"]).flatten(0, 1), codes)
    assert torch.equal(codes[:, known], batch.x.repeat_interleave(3, 0)[:, known])
    made = kind.to_stored(tokenizer.decode(codes)).unflatten(0, (2, 3)).numpy()
    assert np.array_equal(found[kind.plural], made)
    assert made.dtype == (np.int16 if name in ("speech", "filled") else np.uint8)
    original = next(run.data.batches("val", 2, 2)).x
    assert np.array_equal(found["originals"], kind.to_stored(original).numpy())
    assert ("reconstructions" in found) == (name != "bytes")


def test_sounds_are_heard_one_after_another_or_a_file_each(ganvas: Any, heard_and_read: Path) -> None:
    words = ["pictures", str(heard_and_read / "speech"), "--kind", "complete", "--num", "2"]
    words += ["--completions", "2"]
    done = ganvas(*words, "--out", "x.wav")
    told = "the first half that is given (16 of 32 codes), 2 completions"
    assert done.stdout == (
        f"rows: 2 test sounds; columns: the sound, what its codes decode to, {told}\nx.wav\n"
    )
    heard, rate = soundfile.read("x.wav", dtype="int16")
    cells = heard.reshape(2, 5, CLIP + RATE // 4)[..., :CLIP]
    assert rate == RATE
    ganvas(*words, "--out", "x.npz")
    found = np.load("x.npz")
    assert np.array_equal(cells[:, 0], found["originals"][:, 0])
    assert np.array_equal(cells[:, 1], found["reconstructions"][:, 0])
    assert np.array_equal(cells[:, 2, : CLIP // 2], cells[:, 1, : CLIP // 2])
    assert not cells[:, 2, CLIP // 2 :].any()
    assert np.array_equal(cells[:, 3:], found["sounds"][:, :, 0])
    ganvas(*words, "--out", "made/")
    names = sorted(path.name for path in Path("made").iterdir())
    assert len(names) == 10
    assert names[:4] == [
        *("000000-test-0-original.wav", "000001-test-0-reconstruction.wav", "000002-test-0-given.wav"),
        "000003-test-0-completion-0.wav",
    ]
    for name, cell in zip(names, cells.reshape(10, CLIP), strict=True):
        assert np.array_equal(soundfile.read(f"made/{name}", dtype="int16")[0], cell)
    ganvas(*words)  # without --out a picture, in the run's folder
    assert (heard_and_read / "speech" / "complete-2-seed1.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["bytes", "written"])
def test_texts_are_read(name: str, ganvas: Any, heard_and_read: Path) -> None:
    run = heard_and_read / name
    words = ["--kind", "complete", "--num", "2", "--completions", "2", "--out", "x.txt"]
    ganvas("pictures", str(run), *words)
    parts = dict(
        part.split("\n", 1) for part in ("\n" + Path("x.txt").read_text()).split("\n--- ")[1:] if part
    )
    rows = ["original", *(["reconstruction"] if name == "written" else []), "given"]
    rows += ["completion 0", "completion 1"]
    assert list(parts) == [f"test {number}, {row}" for number in range(2) for row in rows]
    loaded: Any = library.load(run)
    x = next(loaded.data.batches("test", 2, 2)).x
    whole = loaded.model.tokenizer.decode(next(loaded.data.codes("test", 2, 2)).x)
    for number in range(2):
        (original,), (made,) = (loaded.data.modality.readings(one[number : number + 1]) for one in (x, whole))
        assert parts[f"test {number}, original"].rstrip("\n") == original.rstrip("\n")
        given = parts[f"test {number}, given"].rstrip("\n")
        assert given.count(HIDDEN) == LETTERS // 2
        if name == "bytes":
            assert given == original[: LETTERS // 2] + HIDDEN * (LETTERS // 2) == made[:32] + HIDDEN * 32
            assert parts[f"test {number}, completion 0"].startswith(original[: LETTERS // 2])
    assert parts["test 0, completion 0"] != parts["test 0, completion 1"]


@pytest.mark.parametrize(("name", "count"), [("bytes", 10), ("written", 5), ("patched", 5)])
def test_a_text_begins_as_it_was_typed(name: str, count: int, ganvas: Any, heard_and_read: Path) -> None:
    run = heard_and_read / name
    words = ["--beginning", _BEGINNING, "--completions", 3, "--seed", 8, "--temperature", 0.7]
    found = arrays(ganvas, run, *words)
    assert int(found["known"].sum()) == count
    assert found["known"][:count].all()
    assert found["texts"].shape == (1, 3, LETTERS)
    if name == "bytes":
        assert {bytes(text[:10]) for text in found["texts"][0]} == {_BEGINNING.encode()}
    loaded: Any = library.load(run)
    desk = PriorDesk(loaded.model, loaded.data, run)
    typed, asked = desk.source.typed(_BEGINNING), Asked(num=3, seed=8, temperature=0.7)
    known = desk.known(desk.known_of(typed))
    *_, last = desk.complete(desk.encode(typed.x), known, asked, every=99)
    assert np.array_equal(last.x.numpy(), found["texts"][0])
    line = shlex.split(desk.beginning_command(asked, _BEGINNING))
    assert (line[0], line[-1]) == ("ganvas", "completions.txt")
    assert main([*line[1:-1], "y.npz"]) == 0
    assert np.array_equal(np.load("y.npz")["texts"], found["texts"])


def test_the_page_s_command_completes_the_same_half_of_a_sound(ganvas: Any, heard_and_read: Path) -> None:
    loaded: Any = library.load(heard_and_read / "speech")
    desk, asked = PriorDesk(loaded.model, loaded.data, heard_and_read / "speech"), Asked(num=2, seed=5)
    known = desk.known(desk.half_of_cells("first"), "first")
    original = desk.source.take("test", 1)
    *_, last = desk.complete(desk.encode(original.x), known, asked, start=2, every=99)
    line = shlex.split(desk.completion_command(asked, split="test", number=1, given="first") or "")
    assert line[-1] == "completions.wav"
    ganvas(*line[1:-1], "x.npz")
    assert np.array_equal(np.load("x.npz")["sounds"][1], desk.kind.to_stored(last.x).numpy())


def test_a_sound_begins_as_a_file_does(ganvas: Any, heard_and_read: Path) -> None:
    x = (8000 * np.sin(np.arange(1050) / 9)).astype(np.int16)  # of 1600, that is 10 of 16 places
    soundfile.write("a.wav", x, RATE)
    found = arrays(ganvas, heard_and_read / "speech", "--beginning", "a.wav", "--completions", 2)
    assert found["known"].tolist() == [True] * 20 + [False] * 12
    model: Any = library.load(heard_and_read / "speech").model
    whole = torch.zeros(1, 1, CLIP)
    whole[0, 0, :1050] = torch.from_numpy(x) / 32768
    codes = model.tokenizer.encode(whole).repeat(2, 1)
    completed = model.complete(codes, torch.from_numpy(found["known"]), 1)
    assert torch.equal(torch.from_numpy(found["codes"])[0], completed)
    done = ganvas(
        *("pictures", str(heard_and_read / "speech"), "--kind", "complete", "--beginning", "a.wav"),
        *("--out", "x.wav"),
    )
    assert done.stdout.startswith("a row: what is given (20 of 32 codes), 5 completions\n")


@pytest.mark.parametrize(
    ("words", "key", "parts"),
    [
        ("speech --given left", "--given", ["sounds have no such half; take first or second"]),
        ("bytes --given upper", "--given", ["texts have no such half; take first or second"]),
        (
            "speech --given second --num 1",
            "--given",
            ["what follows its first codes: the first half of one row"],
        ),
        ("bytes --beginning=", "--beginning", ["is empty"]),
        (f"bytes --beginning {'a' * LETTERS}", "--beginning", ["holds [64], and a text is [64]; give less"]),
        (
            "written --beginning a",
            "--beginning",
            ["fills no code: 32 stand for 64 values; give a longer one"],
        ),
        ("speech --beginning none.wav", "--beginning", ["cannot be read as a sound", "name a file of one"]),
        ("bytes --beginning a --split val", "--split", ["--beginning gives one of your own"]),
        ("bytes --beginning a --num 3", "--num", ["--beginning gives one of your own"]),
        ("bytes --beginning a --given first", "--given", ["--beginning gives one of your own"]),
        ("bytes --beginning a --label 3", "--label", ["has no classes"]),
        ("bytes --scale 2", "--scale", ["is of images"]),
        ("bytes --out x.wav", "--out", ["must end in .txt"]),
        ("speech --out x.txt", "--out", ["must end in"]),
        ("speech --out there/", "--out", ["is not empty; name a new folder"]),
        ("speech --out made/ --scale 2", "--scale", ["--out is a folder of files"]),
    ],
)
def test_what_cannot_be_completed_is_refused(
    words: str, key: str, parts: list[str], ganvas: Any, heard_and_read: Path, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").touch()
    run, *rest = words.split()
    line = ["pictures", str(heard_and_read / run), "--kind", "complete", *rest]
    value = ["=there: "] if "there/" in words else []  # a path, which has no slash at its end
    refused(ganvas, tmp_path, line, key, *value, *parts)


def test_images_have_other_halves_and_do_not_begin(ganvas: Any, runs: Path, tmp_path: Path) -> None:
    line = ["pictures", str(runs / "raster"), "--kind", "complete"]
    rule = "images have no such half; take upper, lower, left or right"
    refused(ganvas, tmp_path, [*line, "--given", "first"], "--given", rule)
    refused(ganvas, tmp_path, [*line, "--beginning", "a"], "--beginning", "is of what runs on, and images")
    ganvas(*line, "--num", "2", "--completions", "1", "--out", "made/")
    assert [path.name for path in sorted(Path("made").iterdir())][4:] == [
        *("000004-test-1-original.png", "000005-test-1-reconstruction.png", "000006-test-1-given.png"),
        "000007-test-1-completion-0.png",
    ]

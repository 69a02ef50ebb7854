"""``ganvas pictures`` as a user runs it, against what the run itself draws and completes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from refusal import refused

import ganvas as library
from ganvas.functional.images import to_uint8
from ganvas.functional.next_code import Drawing


def arrays(ganvas: Any, *words: object) -> dict[str, numpy.ndarray]:
    ganvas("pictures", *map(str, words), "--out", "x.npz")
    return dict(numpy.load("x.npz"))


def shown(x: torch.Tensor) -> numpy.ndarray:
    return to_uint8(x).movedim(-3, -1).numpy()


def test_rows_are_samples_of_one_seed_at_several_temperatures(ganvas: Any, runs: Path) -> None:
    words = ("--temperatures", "0,0.5,2", "--num", 5, "--seed", 7, "--label", "3,8", "--top-k", 9)
    found = arrays(ganvas, runs / "raster", *words, "--batch-size", 2)
    model: Any = library.load(runs / "raster").model
    label = torch.tensor([3, 3, 3, 8, 8])
    assert found["temperatures"].tolist() == [0, 0.5, 2]
    assert found["labels"].tolist() == label.tolist()
    for row, temperature in enumerate((0.0, 0.5, 2.0)):
        drawing = dataclasses.replace(Drawing(), temperature=temperature, top_k=9)
        assert numpy.array_equal(
            found["images"][row], shown(model.sample(5, 7, label=label, drawing=drawing))
        )
    assert not numpy.array_equal(found["images"][0], found["images"][2])


def test_the_order_of_a_masked_prior_step_by_step(ganvas: Any, runs: Path) -> None:
    found = arrays(ganvas, runs / "masked", "--kind", "order", "--num", 3, "--steps", 3, "--batch-size", 2)
    model: Any = library.load(runs / "masked").model
    steps = model.draw_in_steps(3, 1, drawing=Drawing(steps=3))
    assert numpy.array_equal(found["codes"], torch.stack([step.codes for step in steps], 1).numpy())
    guesses = torch.stack([model.tokenizer.decode(step.guess) for step in steps], 1)
    assert numpy.array_equal(found["guesses"], shown(guesses))
    side = int(found["codes"].shape[-1] ** 0.5)
    hidden = torch.from_numpy(found["codes"] == 16).view(3, 3, side, side)
    covered = hidden.repeat_interleave(8 // side, 2).repeat_interleave(8 // side, 3).numpy()
    assert covered.any()
    assert not covered[:, -1].any()
    assert (found["images"][covered] == 128).all()
    assert numpy.array_equal(found["images"][~covered], found["guesses"][~covered])


@pytest.mark.parametrize(("name", "given"), [("raster", "upper"), ("masked", "upper"), ("masked", "right")])
def test_completions_keep_the_given_half_of_held_out_images(
    name: str, given: str, ganvas: Any, runs: Path
) -> None:
    words = ("--kind", "complete", "--num", 3, "--completions", 4, "--given", given, "--batch-size", 5)
    found = arrays(ganvas, runs / name, *words, "--split", "val")
    run: Any = library.load(runs / name)
    batch = next(run.data.codes("val", 3, 3))
    known = torch.from_numpy(found["known"])
    side = int(len(known) ** 0.5)
    half = known.view(side, side)
    assert bool(half[: side // 2].all()) == (given == "upper")
    assert int(known.sum()) == side * side // 2
    codes = torch.from_numpy(found["codes"])
    assert codes.shape == (3, 4, len(known))
    assert torch.equal(codes[:, :, known], batch.x[:, None, known].expand(-1, 4, -1))
    asked = batch.x.repeat_interleave(4, 0)
    label = batch.label.repeat_interleave(4)
    assert torch.equal(codes.flatten(0, 1), run.model.complete(asked, known, 1, label=label))
    made = run.model.tokenizer.decode(codes.flatten(0, 1)).unflatten(0, (3, 4))
    assert numpy.array_equal(found["images"], shown(made))
    assert numpy.array_equal(found["originals"], shown(next(run.data.batches("val", 3, 3)).x))
    assert numpy.array_equal(found["reconstructions"], shown(run.model.tokenizer.decode(batch.x)))


def test_sheets_say_what_they_show(ganvas: Any, runs: Path, tmp_path: Path) -> None:
    done = ganvas("pictures", str(runs / "raster"), "--num", "3", "--temperatures", "0.5,1", "--out", "t.png")
    assert done.stdout == "rows: temperature 0.5, 1; columns: 3 samples\nt.png\n"
    words = ["--kind", "complete", "--num", "2", "--completions", "3", "--scale", "1", "--out", "new/c.png"]
    done = ganvas("pictures", str(runs / "raster"), *words)
    assert "the upper half that is given (2 of 4 codes), 3 completions" in done.stdout
    with Image.open(tmp_path / "new" / "c.png") as image:
        assert image.size == (6 * 10 + 2, 2 * 10 + 2)
        board = numpy.array(image)
    given = board[2 + 4 : 2 + 8, 22 : 22 + 8]  # the lower half of the third column
    assert (given == 128).all()
    done = ganvas("pictures", str(runs / "masked"), "--kind", "order", "--num", "2", "--out", "o.png")
    assert done.stdout.startswith("columns: 4 steps, after which 3, 2, 1, 0 of 4 codes are hidden")
    ganvas("pictures", str(runs / "row"), "--num", "2")
    assert (runs / "row" / "temperatures-2-seed1.png").is_file()


@pytest.mark.parametrize(
    ("words", "key", "parts"),
    [
        (["a_gan"], "RUN", ["draws no codes; it must be the run of a prior"]),
        (["b_vqvae"], "RUN", ["draws no codes; it must be the run of a prior"]),
        (["{runs}/raster", "--kind", "order"], "--kind", ["is of a masked prior"]),
        (["{runs}/raster", "--kind", "complete", "--given", "left"], "--given", ["model=masked takes any"]),
        (["{runs}/row", "--kind", "complete"], "RUN", ["codes have no place in the image"]),
        (["{runs}/raster", "--kind", "complete", "--num", "99999"], "--num", ["the test split holds"]),
        (["{runs}/raster", "--temperature", "1"], "--temperature", ["is of --kind order or complete"]),
        (["{runs}/masked", "--kind", "order", "--given", "left"], "--given", ["is of --kind complete"]),
        (["{runs}/raster", "--kind", "complete", "--label", "3"], "--label", ["is of --kind temperatures"]),
        (["{runs}/raster", "--temperatures", "1,-1"], "--temperatures", ["must be at most 32 numbers"]),
        (["{runs}/raster", "--temperatures", "1,x"], "--temperatures", ["must be at most 32 numbers"]),
        (["{runs}/raster", "--steps", "3"], "--steps", ["is of model=masked"]),
        (["{runs}/raster", "--num", "0"], "--num", []),
        (["{runs}/raster", "--out", "x.gif"], "--out", []),
        (["{runs}/row", "--label", "3"], "--label", ["has no classes"]),
    ],
)
def test_bad_input(
    words: list[str], key: str, parts: list[str], ganvas: Any, runs: Path, outputs: Path, tmp_path: Path
) -> None:
    line = ["pictures", *(word.format(runs=runs) for word in words), "--output-dir", str(outputs)]
    given = refused(ganvas, tmp_path, line, key)
    assert all(part in given for part in parts)


def test_codes_are_swapped_in_the_tokenizer_of_a_prior(ganvas: Any, runs: Path) -> None:
    told = ganvas("codes", str(runs / "raster"), "--swap", "0,1", code=2).stderr
    assert told.count("\n") == 1
    assert "has no codes" in told
    ganvas("codes", str(runs / "raster" / "tokenizer"), "--swap", "0,1", "--out", "s.png")
    assert Path("s.png").is_file()

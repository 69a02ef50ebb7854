"""``--kind temperatures`` and ``--kind order`` of sounds and texts, against what the run itself draws."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from refusal import refused

import ganvas as library
from ganvas.functional.next_code import Drawing
from ganvas.modality.partial import HIDDEN


@pytest.mark.parametrize("name", ["speech", "written", "bytes"])
def test_rows_are_samples_of_one_seed_at_several_temperatures(
    name: str, ganvas: Any, heard_and_read: Path
) -> None:
    run = str(heard_and_read / name)
    words = ["--temperatures", "0.5,2", "--num", "3", "--seed", "7", "--batch-size", "2"]
    ganvas("pictures", run, *words, "--out", "x.npz")
    found, loaded = np.load("x.npz"), library.load(run)
    kind, model = loaded.data.modality, loaded.model
    for row, temperature in enumerate((0.5, 2.0)):
        made = model.sample(3, 7, drawing=dataclasses.replace(Drawing(), temperature=temperature))
        off = found[kind.plural][row].astype(int) - kind.to_stored(made).numpy()
        assert np.abs(off).max() <= (name == "speech")  # batches of other sizes round otherwise
    assert not np.array_equal(found[kind.plural][0], found[kind.plural][1])
    ganvas("pictures", run, *words, "--out", "x.png")
    side = 256 if name == "speech" else 8
    with Image.open("x.png") as image:
        assert image.width >= 3 * side
    if name == "speech":
        return
    ganvas("pictures", run, *words, "--out", "x.txt")
    (reading,) = kind.readings(kind.to_model(torch.from_numpy(found["texts"][1, 2]))[None])
    assert f"\n--- temperature 2, sample 2\n{reading}\n" in Path("x.txt").read_text()


@pytest.mark.parametrize("name", ["filled", "patched"])
def test_the_order_of_a_masked_prior_step_by_step(name: str, ganvas: Any, heard_and_read: Path) -> None:
    run = str(heard_and_read / name)
    words = ["pictures", run, "--kind", "order", "--num", "2", "--steps", "3"]
    ganvas(*words, "--out", "x.npz")
    found, model = np.load("x.npz"), library.load(run).model
    steps = model.draw_in_steps(2, 1, drawing=Drawing(steps=3))
    assert np.array_equal(found["codes"], torch.stack([step.codes for step in steps], 1).numpy())
    kind = model.tokenizer.data.modality
    guesses = torch.stack([kind.to_stored(model.tokenizer.decode(step.guess)) for step in steps], 1)
    assert np.array_equal(found["guesses"], guesses.numpy())
    hidden = found["codes"] == model.tokenizer.layout.vocabulary
    if name == "filled":
        all_hidden = hidden.reshape(2, 3, 16, 2).all(-1).repeat(100, -1)  # of both levels at a place
        assert all_hidden.any()
        assert not found["sounds"][:, :, 0][all_hidden].any()
    else:
        places = hidden.repeat(2, -1)
        assert (found["texts"][places] == ord(" ")).all()
        assert np.array_equal(found["texts"][~places], found["guesses"][~places])
        ganvas(*words, "--out", "x.txt")
        part = Path("x.txt").read_text().split("--- sample 1, step 2, stays\n")[1].partition("\n--- ")[0]
        assert part.count(HIDDEN) == places[1, 1].sum() > 0


def test_an_order_is_of_a_masked_prior(ganvas: Any, heard_and_read: Path, tmp_path: Path) -> None:
    for name in ("speech", "bytes"):
        line = ["pictures", str(heard_and_read / name), "--kind", "order"]
        refused(ganvas, tmp_path, line, "--kind", "is of a masked prior")

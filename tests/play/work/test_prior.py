"""A prior's samples and completions against the commands that the page names for them."""

from __future__ import annotations

import base64
import io
import shlex
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

import ganvas as library
from ganvas.cli.main import main
from ganvas.errors import OptionError
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.code_places import half
from ganvas.functional.images import to_uint8
from ganvas.play.work.asked import Asked
from ganvas.play.work.mask import coarsest, first_codes, known_of, until
from ganvas.play.work.prior import PriorDesk
from ganvas.play.work.uri import uri_of_grid

_SHORT = ["trainer.max_examples=64", "callback=none", "logger=none", "accelerator=cpu"]
_PRIOR = [
    *("data=codes", "model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2"),
    "model.conditional=true",
]
_CODES = ["model.num_embeddings=16", "model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8"]
PYRAMID = CodeLayout(((3, 6), (4,), (5,)), ((1, 2), (2, 2), (3, 4)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Priors by class over codes of digits, ``raster`` and ``masked``, each of 64 examples."""
    folder = tmp_path_factory.mktemp("runs")
    tokenizer = f"data.tokenizer={folder}/grid"
    for name, words in {
        "grid": ["model=vqvae", *_CODES],
        "raster": ["model=autoregressive", *_PRIOR, tokenizer],
        "masked": ["model=masked", *_PRIOR, tokenizer],
    }.items():
        assert main(["train", *words, *_SHORT, f"paths.run_dir={folder}/{name}"]) == 0
    return folder


def desk(folder: Path) -> PriorDesk:
    run: Any = library.load(folder)
    return PriorDesk(run.model, run.data, folder)


def pixels(x: torch.Tensor) -> numpy.ndarray:
    return to_uint8(x).movedim(-3, -1).numpy()


def run_line(line: str, path: Path) -> Path:
    """What a command line of the page writes, elsewhere."""
    words = shlex.split(line)
    assert words[0] == "ganvas"
    assert words[-2] == "--out"
    assert main([*words[1:-1], str(path)]) == 0
    return path


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("raster", Asked(num=5, seed=3)),
        ("raster", Asked(num=12, label="each", temperature=0.7, top_k=9, top_p=0.93, raw=True)),
        ("masked", Asked(num=4, seed=9, label=7, guidance=2.5, steps=3)),
    ],
)
def test_the_command_makes_the_same_samples(name: str, asked: Asked, runs: Path, tmp_path: Path) -> None:
    bench = desk(runs / name)
    steps = list(bench.sample(asked, every=0))
    made = numpy.asarray(Image.open(run_line(bench.command(asked), tmp_path / "x.png")))
    shown = base64.b64decode(uri_of_grid(steps[-1].x, bench.columns(asked)).partition("base64,")[2])
    assert numpy.array_equal(numpy.asarray(Image.open(io.BytesIO(shown))), made)
    assert [step.step for step in steps] == list(range(1, steps[-1].steps + 1))
    left = [step.hidden for step in steps]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0 < left[0]
    assert not torch.equal(steps[0].x, steps[-1].x)


@pytest.mark.parametrize(("name", "given"), [("raster", "upper"), ("masked", "right")])
def test_the_command_makes_the_same_completions_of_a_half(
    name: str, given: str, runs: Path, tmp_path: Path
) -> None:
    bench, number = desk(runs / name), 2
    asked = Asked(num=3, seed=5, temperature=0.8)
    batch = list(bench.data.codes("test", 1, number + 1))[number]
    known = half(bench.layout, given)
    of, start = int(batch.label[0]), number * asked.num
    steps = list(bench.complete(batch.x[0], known, asked, of=of, start=start, every=0))
    line = bench.completion_command(asked, split="test", number=number, given=given)
    assert line is not None
    found = numpy.load(run_line(line, tmp_path / "x.npz"))
    assert numpy.array_equal(pixels(steps[-1].x), found["images"][number])
    assert bench.completion_command(Asked(label=3), split="test", number=0, given=given) is None


def test_what_is_hidden_is_grey_and_what_is_given_stays(runs: Path) -> None:
    bench = desk(runs / "masked")
    codes = next(bench.data.codes("test", 1, 1)).x[0]
    cells = torch.zeros(bench.cells, dtype=torch.bool)
    cells[0, -1] = True
    known = known_of(bench.layout, cells)
    (shown,) = bench.picture(codes.masked_fill(~known, bench.layout.vocabulary)[None])
    side = shown.shape[1] // bench.cells[0]
    assert (shown[:, :side, :-side] == 0).all()
    assert (shown[:, :side, -side:] != 0).any()
    first = next(bench.complete(codes, known, Asked(num=2, steps=4), every=0))
    assert first.hidden > 0
    with pytest.raises(OptionError, match="given those before it"):
        next(desk(runs / "raster").complete(codes, known, Asked(num=1)))


def test_what_a_run_cannot_do_is_known_and_refused(runs: Path) -> None:
    raster, masked = desk(runs / "raster"), desk(runs / "masked")
    assert (raster.takes_any_mask, masked.takes_any_mask) == (False, True)
    assert (raster.halves(), masked.halves()) == (["upper"], ["upper", "lower", "left", "right"])
    assert raster.usual_steps is None
    assert masked.usual_steps
    assert raster.classes == [str(number) for number in range(10)]
    for asked, option in [
        (Asked(num=0), "num"),
        (Asked(num=257), "num"),
        (Asked(seed=-1), "seed"),
        (Asked(label=10), "label"),
        (Asked(temperature=-0.1), "temperature"),
        (Asked(top_p=0.0), "top_p"),
        (Asked(steps=3), "steps"),
    ]:
        with pytest.raises(OptionError) as error:
            next(raster.sample(asked))
        assert error.value.option == option
    with pytest.raises(OptionError, match="draws no codes"):
        PriorDesk(library.load(runs / "grid").model, None, "RUN")


def test_a_mask_of_the_coarsest_cells_reaches_every_map() -> None:
    assert coarsest(PYRAMID) == (1, 2)
    known = known_of(PYRAMID, torch.tensor([[True, False]]))
    left = torch.tensor([True, True, False, False, True, False, True, False, *[True, True, False, False] * 3])
    assert torch.equal(known, left)
    none = torch.zeros(2, 3, dtype=torch.bool)
    first = until(none, (1, 0))
    assert first.flatten().tolist() == [True] * 4 + [False] * 2
    assert until(first, (1, 0)).flatten().tolist() == [True] * 3 + [False] * 3  # touched again
    assert first_codes(PYRAMID, 3).tolist() == [True] * 3 + [False] * 17

"""A GAN's page against the commands: the same images, rows, neighbours, files."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from ganvas.cli.main import main
from ganvas.errors import OptionError
from ganvas.play.work.gan import Asked, GANDesk, tiled
from ganvas.play.work.shown_samples import as_file
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run

_SHORT = ["trainer.max_examples=640", "callback=none", "logger=none", "accelerator=cpu"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional GAN of 640 digits."""
    folder = tmp_path_factory.mktemp("gan") / "run"
    words = [*_SHORT, "model=mlp_gan", "model.conditional=true", f"paths.run_dir={folder}"]
    assert main(["train", *words]) == 0
    return folder


@pytest.fixture(scope="module")
def desk(run: Path) -> GANDesk:
    model, data, _ = load_run(RunFolder(run))
    return GANDesk(model, data, run)


@pytest.mark.parametrize(
    "asked",
    [
        Asked(num=7, seed=3),
        Asked(num=5, seed=2, truncation=0.4, label=7),
        Asked(num=4, seed=1, raw=True),
    ],
)
def test_it_makes_what_its_command_makes(asked: Asked, desk: GANDesk, tmp_path: Path) -> None:
    made = desk.samples(asked)
    assert made.shape == (asked.num, 1, 8, 8)
    words = shlex.split(desk.command(asked, str(tmp_path / "x.png")))[1:]
    assert main(words) == 0
    page = Image.open(io.BytesIO(as_file(desk.kind, made, ".png", columns=desk.columns(asked))))
    with Image.open(tmp_path / "x.png") as written:
        assert numpy.array_equal(numpy.asarray(page), numpy.asarray(written))
    assert main([*words[:-1], str(tmp_path / "x.npz")]) == 0
    there, here = (
        numpy.load(tmp_path / "x.npz"),
        numpy.load(io.BytesIO(as_file(desk.kind, made, ".npz", labels=desk.labels(asked)))),
    )
    assert set(there) == set(here) == {"images", "labels"}
    assert all(numpy.array_equal(there[name], here[name]) for name in there)
    assert asked.label is None or (here["labels"] == asked.label).all()


def test_a_seed_a_class_and_raw_weights_change_the_images(desk: GANDesk) -> None:
    first = desk.samples(Asked(num=4))
    for other in (Asked(num=4, seed=2), Asked(num=4, label=3), Asked(num=4, raw=True)):
        assert not torch.equal(first, desk.samples(other))


def test_the_way_begins_and_ends_at_the_two_samples(desk: GANDesk) -> None:
    asked = Asked(num=6, seed=4)
    samples = desk.samples(asked)
    for t, number in ((0.0, 5), (1.0, 2)):
        assert (desk.between(asked, 5, 2, t) - samples[number]).abs().max() < 1e-5
    row = desk.row(asked, 5, 2)
    assert row.shape == (9, 1, 8, 8)
    assert (row[0] - samples[5]).abs().max() < 1e-5
    assert (row[8] - samples[2]).abs().max() < 1e-5
    assert (row[4] - desk.between(asked, 5, 2, 0.5)).abs().max() < 1e-5


def test_neighbours_are_those_of_the_command(desk: GANDesk, run: Path, tmp_path: Path) -> None:
    asked = Asked(num=3, seed=6)
    images, far = desk.neighbours(asked, 1, k=4)
    words = [
        "neighbours",
        str(run),
        "--num",
        "3",
        "--seed",
        "6",
        "--k",
        "4",
        "--out",
        str(tmp_path / "x.npz"),
    ]
    assert main(words) == 0
    found = numpy.load(tmp_path / "x.npz")
    assert numpy.array_equal(found["neighbours"][1, :, :, :, 0], ((images[:, 0] + 1) * 127.5).round().byte())
    assert far == pytest.approx(found["distances"][1] / 8 / 2)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Asked(num=0), "num=0: must be from 1 to 256"),
        (Asked(num=257), "num=257: "),
        (Asked(seed=-1), "seed=-1: "),
        (Asked(truncation=-0.1), "truncation=-0.1: must be 0 or more"),
        (Asked(truncation=float("nan")), "truncation=nan: "),
        (Asked(label=10), "label=10: is no class"),
    ],
)
def test_what_cannot_be_made_is_refused(asked: Asked, told: str, desk: GANDesk) -> None:
    with pytest.raises(OptionError) as caught:
        desk.samples(asked)
    assert str(caught.value).startswith(told)


def test_images_edge_to_edge() -> None:
    x = torch.linspace(-1, 1, 3 * 2 * 4).view(3, 1, 2, 4)
    whole = tiled(x, 2)
    assert whole.shape == (1, 4, 8)
    levels = ((x + 1) * 127.5).round().byte()
    assert torch.equal(whole[0, :2, 4:], levels[1, 0])
    assert torch.equal(whole[0, 2:, :4], levels[2, 0])
    assert (whole[0, 2:, 4:] == 0).all()

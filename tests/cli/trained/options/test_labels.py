"""Classes that interpolate, walk and neighbours are asked for (of sample: tests/runs/test_conditional.py)."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from refusal import refused

from ganvas.cli.main import main
from ganvas.functional.slerp import slerp
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an MLP GAN of the ten digits, with some steps that tell classes apart."""
    run = tmp_path_factory.mktemp("classes") / "outputs" / "train" / "c"
    words = [
        "model=mlp_gan",
        "model.conditional=true",
        "model.generator.hidden_dim=8",
        f"paths.run_dir={run}",
    ]
    more = ["trainer.max_examples=640", "callback=minimal", "logger=none", "callback.evaluation=null"]
    assert main(["train", *words, *more, "model/ema=none", "model.generator_optimizer.lr=0.02"]) == 0
    return run


def shown(run: Path, z: torch.Tensor, label: list[int]) -> numpy.ndarray:
    """What the generator makes of these latents and classes, as an array of 8-bit images."""
    model, _, _ = load_run(RunFolder(run))
    made = model.generate(z, torch.tensor(label))
    return ((made + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()


def latents(run: Path, num: int, seed: int) -> torch.Tensor:
    return load_run(RunFolder(run))[0].latents(num, seed)


def test_rows_keep_the_class_that_they_are_given(ganvas, of_classes: Path) -> None:
    words = ["interpolate", str(of_classes), "--num", "3", "--steps", "3", "--seed", "4", "--out", "x.npz"]
    ganvas(*words, "--label", "7,2")
    made = numpy.load("x.npz")["images"].astype(int)
    z = latents(of_classes, 6, 4)
    for step, part in enumerate((0.0, 0.5, 1.0)):
        between = slerp(z[:3], z[3:], torch.full((3,), part))
        assert numpy.abs(made[:, step] - shown(of_classes, between, [7, 7, 2])).max() <= 1
        assert numpy.abs(made[:, step] - shown(of_classes, between, [7, 2, 2])).max() > 2


def test_a_walk_keeps_the_class_and_has_a_row_for_each(ganvas, of_classes: Path, tmp_path: Path) -> None:
    words = ["--num", "4", "--stops", "2", "--frames", "4", "--scale", "1", "--seed", "5"]
    ganvas("walk", str(of_classes), *words, "--label", "1, 8", "--out", "x.png")
    z = latents(of_classes, 8, 5)
    with Image.open(tmp_path / "x.png") as image:
        for stop in range(2):
            image.seek(2 * stop)
            frame = numpy.asarray(image.convert("L")).astype(int)
            assert frame.shape == (2 * 10 + 2, 2 * 10 + 2)
            expected = shown(of_classes, z[4 * stop : 4 * stop + 4], [1, 1, 8, 8])[..., 0]
            for i in range(4):
                top, left = 2 + i // 2 * 10, 2 + i % 2 * 10
                assert numpy.abs(frame[top : top + 8, left : left + 8] - expected[i]).max() <= 1
    ganvas("walk", str(of_classes), *words, "--label", "1,8,2,3", "--out", "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (12, 4 * 10 + 2), "a row a class"


def test_neighbours_of_a_class(ganvas, of_classes: Path) -> None:
    words = ("neighbours", str(of_classes), "--num", "3", "--k", "2", "--seed", "2", "--out", "x.npz")
    ganvas(*words, "--label", "6")
    made = numpy.load("x.npz")
    expected = shown(of_classes, latents(of_classes, 3, 2), [6, 6, 6])
    assert numpy.abs(made["images"].astype(int) - expected).max() <= 1
    train = load_run(RunFolder(of_classes))[1].split("train").x
    for i in range(3):
        away = (train.double() - torch.from_numpy(expected[i]).permute(2, 0, 1)).flatten(1).norm(dim=1)
        assert made["numbers"][i, 0] in away.argsort()[:2]


@pytest.mark.parametrize("command", ["interpolate", "walk", "neighbours"])
@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--label 10", "=10: must be from 0 to 9"),
        ("--label seven", "=seven: must be from 0 to 9; these data name no classes"),
        ("--label 1,2 --num 1", "=1,2: names 2 classes for 1 {what}; ask for more (--num 2)"),
    ],
)
def test_classes_that_are_none(
    command: str, words: str, part: str, ganvas, of_classes: Path, tmp_path: Path
) -> None:
    what = {"interpolate": "rows", "walk": "images", "neighbours": "samples"}[command]
    refused(ganvas, tmp_path, [command, str(of_classes), *words.split()], "--label", part.format(what=what))


@pytest.mark.parametrize("command", ["interpolate", "walk", "neighbours"])
def test_a_generator_without_classes(command: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    line = [command, str(outputs / "train" / "a_gan"), "--label", "3"]
    refused(ganvas, tmp_path, line, "--label", "the run's model has no classes")

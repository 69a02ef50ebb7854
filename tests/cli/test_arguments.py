from __future__ import annotations

import argparse
import contextlib
import errno
from pathlib import Path
from typing import BinaryIO

import numpy
import pytest
import torch

from ganvas.cli.arguments import Parser, check_num, check_out, named_run, parser_of, run_parser
from ganvas.cli.commands import module_of
from ganvas.cli.trained.files.save import save_samples
from ganvas.errors import OptionError, OutputError
from ganvas.modality.image import Image
from ganvas.modality.points import Points


def test_images_become_uint8_channels_last() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0, -3.0, 3.0, -0.5]).reshape(1, 3, 1, 2)
    made = Image().arrays(x)
    assert made.shape == (1, 1, 2, 3)
    assert made[0, 0, 0].tolist()[0] == 0
    assert made[0, 0].tolist()[0][1] == 255
    assert made[0, 0].tolist()[1][1] == 0
    assert made[0, 0].tolist()[0][2] == 255


def test_points_stay_as_they_are() -> None:
    points = torch.tensor([[0.25, -3.5], [1.0, 2.0]])
    assert Points().arrays(points).tolist() == points.tolist()


@pytest.mark.parametrize("out", ["x.gif", "x", "folder.png", "file/x.png"])
def test_check_out_refuses(out: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="--out"):
        check_out(tmp_path / out)


@pytest.mark.parametrize("out", ["x.png", "x.webp", "x.jpeg", "new/deep/x.npz"])
def test_check_out_makes_nothing(out: str, tmp_path: Path) -> None:
    check_out(tmp_path / out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_arrays_are_whole_or_as_they_were(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(out: Path | BinaryIO, **arrays: object) -> None:
        with out.open("wb") if isinstance(out, Path) else contextlib.nullcontext(out) as file:
            file.write(b"half")
            raise error

    (tmp_path / "x.npz").write_text("old")
    monkeypatch.setattr(numpy, "savez_compressed", stopped)
    with pytest.raises((OutputError, KeyboardInterrupt), match=r"cannot be written|^$"):
        save_samples(tmp_path / "x.npz", Image(), {"images": torch.zeros(1, 1, 2, 2)}, lambda: None)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.npz", "old")]


@pytest.mark.parametrize("num", [0, -1])
def test_check_num(num: int) -> None:
    check_num(1)
    with pytest.raises(OptionError, match=f"^--batch-size={num}: "):
        check_num(num, "--batch-size")


def test_own_modules_beside_the_config_folder_are_allowed(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "mine.py").touch()
    words = ["a_gan", "--output-dir", str(outputs), "--config-dir", str(tmp_path / "conf")]
    arguments = run_parser("sample", None).parse_args([*words, "--allow-imports", "other"])
    assert isinstance(arguments, argparse.Namespace)
    folder, allow = named_run(arguments)
    assert folder.path == outputs / "train" / "a_gan"
    assert allow == ["other", "mine"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("encode RUN --config-dir conf --num 3 A B --out x.gvq", {"run": "RUN", "files": ["A", "B"]}),
        ("encode RUN A --num 3 B --out x.gvq", {"run": "RUN", "files": ["A", "B"]}),
        ("encode RUN --split test --out x.gvq", {"run": "RUN", "files": []}),
        ("encode --out x.gvq -- RUN -a.png", {"run": "RUN", "files": ["-a.png"]}),
        ("encode RUN --out x.gvq -- -a.png B", {"run": "RUN", "files": ["-a.png", "B"]}),
        ("decode F --batch-size 2 RUN --out x", {"file": Path("F"), "run": "RUN"}),
        ("decode F --out x", {"file": Path("F"), "run": None}),
        ("evaluate RUN --num 3 metric=none", {"run": "RUN", "overrides": ["metric=none"]}),
        ("compare A --output-dir o B", {"run": ["A", "B"]}),
        ("plot A --num 3 B --seeds C", {"run": ["A", "B", "C"]}),
        ("runs ls A --json B", {"run": ["A", "B"]}),
        ("runs rm A --yes B", {"run": ["A", "B"]}),
        ("play A --port 0 B", {"run": ["A", "B"]}),
        ("play --port 0", {"run": []}),
        ("options model --config-dir conf data", {"group": ["model", "data"]}),
        ("check model=dcgan --config-dir conf data=digits", {"overrides": ["model=dcgan", "data=digits"]}),
    ],
)
def test_options_may_stand_among_arguments(line: str, found: dict[str, object]) -> None:
    command, *words = line.split()
    head = [words.pop(0)] if command == "runs" else []
    parser = parser_of(module_of(command), head)
    assert isinstance(parser, Parser)
    assert vars(parser.parse_args(words)).items() >= found.items()


def test_one_argument_too_many_is_refused_wherever_options_stand() -> None:
    parser = run_parser("sample", None)
    for words in (["A", "B"], ["A", "--output-dir", "o", "B"], ["--", "A", "B"]):
        with pytest.raises(OptionError, match="B=: is one argument too many"):
            parser.parse_args(words)

from __future__ import annotations

import argparse
import contextlib
import errno
from pathlib import Path
from typing import BinaryIO

import numpy
import pytest
import torch

from ganvas.cli.arguments import check_num, check_out, named_run, run_parser
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

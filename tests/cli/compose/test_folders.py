from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ganvas.cli.compose import folders
from ganvas.cli.compose.folders import check_config_dir, user_modules
from ganvas.errors import OptionError


def test_own_modules_are_what_lies_beside_and_in_the_config_folder(tmp_path: Path) -> None:
    for name in ("conf/model/mine.py", "beside.py", "package/__init__.py", "package/inner.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert user_modules(str(tmp_path / "conf")) == ["beside", "mine", "model.mine", "package"]
    assert user_modules(None) == []


def test_a_file_named_as_a_module_of_pythons_allows_nothing(tmp_path: Path) -> None:
    """It lies behind everything on the import path: the name would import the other one."""
    (tmp_path / "conf").mkdir()
    for name in ("os.py", "code.py", "ganvas.py", "conf/subprocess.py", "conf/torch.py", "types_of_mine.py"):
        (tmp_path / name).touch()
    assert user_modules(str(tmp_path / "conf")) == ["types_of_mine"]


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (os.mkfifo, "cannot be read .is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read .is no regular file"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read .No such file"),
        (_large, "has more than 4,000,000 bytes"),
    ],
)
def test_a_yaml_that_hydra_would_wait_for_is_refused(
    tmp_path: Path, put: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "data" / "mine.yaml"
    path.parent.mkdir()
    path.with_name("other.yaml").touch()
    assert check_config_dir(str(tmp_path)) == tmp_path
    put(path)
    with pytest.raises(OptionError, match=f"^--config-dir={path}: {reason}"):
        check_config_dir(str(tmp_path))


def test_a_folder_of_everything_is_no_folder_of_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_MOST_FILES", 3)
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(OptionError, match="holds more than 3 files"):
        check_config_dir(str(tmp_path))

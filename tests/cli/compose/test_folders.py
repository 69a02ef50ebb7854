from __future__ import annotations

from pathlib import Path

from ganvas.cli.compose.folders import user_modules


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

"""Which folders hold a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.files.write import temporary_name
from ganvas.sweep.find import sweep_there


def test_what_a_process_left_before_it_had_written_the_sweep_is_nothing(tmp_path: Path) -> None:
    assert sweep_there(tmp_path / "absent") is None
    (tmp_path / "jobs").mkdir()
    temporary_name(tmp_path / "sweep.json").touch()
    assert sweep_there(tmp_path) is None


@pytest.mark.parametrize("name", ["thesis.tex", "jobs/000.log", ".hidden"])
def test_anything_else_is_not_taken(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(OptionError, match="holds other files"):
        sweep_there(tmp_path)


def test_a_file_named_jobs_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()
    with pytest.raises(OptionError, match="holds other files"):
        sweep_there(tmp_path)

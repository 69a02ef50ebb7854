"""Which pipeline a user means."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.pipeline.find import all_pipelines, find_pipeline, pipeline_there

_NAMES = ("20260101-000000Z_pipeline-aaaaaa", "20260102-000000Z_pipeline-bbbbbb")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for name in _NAMES[::-1]:
        (tmp_path / "p" / name).mkdir(parents=True)
        (tmp_path / "p" / name / "pipeline.json").touch()
    (tmp_path / "p" / "run").mkdir()
    return tmp_path


def test_folder_name_beginning_and_latest(outputs: Path) -> None:
    first, second = (outputs / "p" / name for name in _NAMES)
    assert all_pipelines(outputs) == [first, second]
    assert find_pipeline(str(first), outputs) == first
    assert find_pipeline(_NAMES[0], outputs) == first
    assert find_pipeline("20260102", outputs) == second
    assert find_pipeline("latest", outputs) == second


def test_a_run_is_not_taken_for_one(outputs: Path) -> None:
    assert pipeline_there(_NAMES[0], outputs) == outputs / "p" / _NAMES[0]
    for name in (
        "latest",
        "20260102",
        "run",
        str(outputs / "p" / "run"),
        "",
        ".",
        "a\0b",
        "x" * 300,
        "/" * 9,
    ):
        assert pipeline_there(name, outputs) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [("2026", "fits 2 pipelines"), ("x", "no pipeline's name begins so"), ("", "no pipeline's")],
)
def test_what_fits_none_or_several_is_refused(name: str, told: str, outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=told):
        find_pipeline(name, outputs)
    with pytest.raises(OptionError, match="holds no pipeline"):
        find_pipeline(str(outputs / "p" / "run"), outputs)
    with pytest.raises(OptionError, match="there is no pipeline under"):
        find_pipeline("latest", outputs / "p" / "run")

from __future__ import annotations

from pathlib import Path

import pytest
from forged_runs import forge

from ganvas.compare.find import find_runs
from ganvas.errors import OptionError


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, and a sweep of two more."""
    monkeypatch.chdir(tmp_path)
    for minute, name in enumerate(
        ("train/1_gan", "train/2_gan", "train/3_sweep/000_a", "train/3_sweep/001_b")
    ):
        started = {"started": f"2026-11-23T12:0{minute}:00+0000"}
        forge(tmp_path / "outputs" / name, status=started)
    return Path("outputs")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["1_gan", "2_gan"], ["1_gan", "2_gan"]),
        (["2_", "1_gan"], ["2_gan", "1_gan"]),
        (["outputs/train/1_gan", "latest"], ["1_gan", "001_b"]),
        (["outputs/train/*_gan"], ["1_gan", "2_gan"]),
        (["outputs/train/*"], ["1_gan", "2_gan", "000_a", "001_b"]),
        (["outputs/train/3_sweep"], ["000_a", "001_b"]),
        (["3_sweep"], ["000_a", "001_b"]),
        (["train"], ["1_gan", "2_gan", "000_a", "001_b"]),
        (["?_gan"], ["1_gan", "2_gan"]),
        (["00*"], ["000_a", "001_b"]),
        (["1_gan", "?_gan", "outputs/train/1_gan"], ["1_gan", "2_gan"]),
    ],
)
def test_words_name_runs(words: list[str], expected: list[str], outputs: Path) -> None:
    assert [run.path.name for run in find_runs(words, outputs)] == expected


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["1_gan"], "names 1 run"),
        (["1_gan", "outputs/train/1_*"], "names 1 run"),
        (["1_gan", "9*"], "fits no run"),
        (["1_gan", "nothing"], "no run's name begins so"),
        (["1_gan", ""], "is empty"),
        (["1_gan", "file:///x"], "is an address"),
    ],
)
def test_words_that_name_too_little(words: list[str], reason: str, outputs: Path) -> None:
    with pytest.raises(OptionError, match=reason) as error:
        find_runs(words, outputs, at_least=2)
    assert error.value.option == "RUN"

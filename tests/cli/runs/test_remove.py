"""``ganvas runs rm``: what it deletes, and when it does not."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.run_folder import all_runs


@pytest.fixture
def runs(outputs: Path, tmp_path: Path) -> Path:
    """Copies of two runs under outputs/train."""
    return Path(shutil.copytree(outputs / "train", tmp_path / "outputs" / "train"))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal(text))


def test_yes_deletes_the_runs_that_fit_and_no_others(ganvas, runs: Path) -> None:
    done = ganvas("runs", "rm", "a_*", "--yes")
    assert [path.name for path in runs.iterdir()] == ["b_vqvae"]
    assert "finished, 128 examples" in done.stdout
    assert done.stdout.endswith("deleted: 1\n")


@pytest.mark.parametrize("text", ["n\n", "\n", "", "yess\n"])
def test_it_asks_and_takes_all_else_for_no(text: str, ganvas, runs: Path, monkeypatch) -> None:
    answer(monkeypatch, text)
    ganvas("runs", "rm", "a_gan", code=1)
    assert (runs / "a_gan" / "run.yaml").is_file()


def test_a_yes_at_the_terminal(ganvas, runs: Path, monkeypatch) -> None:
    answer(monkeypatch, "y\n")
    ganvas("runs", "rm", "a_gan", "b_vqvae")
    assert not list(runs.iterdir())


def test_nobody_to_ask(ganvas, runs: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert ganvas("runs", "rm", "a_gan", code=2).stderr.startswith("--yes=: ")
    assert (runs / "a_gan" / "run.yaml").is_file()


def test_a_run_in_use_and_with_it_all_others_stay(ganvas, runs: Path) -> None:
    with RunLock(runs / "b_vqvae"):
        error = ganvas("runs", "rm", "a_gan", "b_vqvae", "--yes", code=2).stderr
    assert "is being trained" in error
    assert (runs / "a_gan" / "run.yaml").is_file()
    assert (runs / "b_vqvae" / "run.yaml").is_file()


def test_links_are_not_followed(ganvas, runs: Path, tmp_path: Path) -> None:
    kept = tmp_path / "precious"
    kept.mkdir()
    (kept / "data").write_text("x")
    (runs / "a_gan" / "link").symlink_to(kept)
    (runs / "linked").symlink_to(runs / "b_vqvae")
    assert "is a link" in ganvas("runs", "rm", "linked", "--yes", code=2).stderr
    ganvas("runs", "rm", "a_gan", "--yes")
    assert (kept / "data").read_text() == "x"


@pytest.mark.parametrize("command", [("ls",), ("rm", "b_vqvae", "--yes")])
def test_what_a_killed_one_left_is_no_run_and_goes_with_the_next(command, ganvas, runs: Path) -> None:
    left = runs / ".a_gan.0123456789abcdef.removed"
    (runs / "a_gan").rename(left)
    assert [run.path.name for run in all_runs(runs.parent)] == ["b_vqvae"]
    assert "a_gan" not in ganvas("runs", *command).stdout
    assert not left.exists()

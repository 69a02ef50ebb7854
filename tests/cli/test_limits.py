"""Words and YAMLs beyond any sense: one line, exit code 2, at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from forged_runs import forge

from ganvas.cli.main import main

DIGITS, MANY = "9" * 5000, "9" * 400
HEX = "0x" + "f" * 5000
TEN = [f"+k{number}=0,1,2,3,4,5,6,7,8,9" for number in range(20)]
_SECONDS = 8.0  # of CPU time, with the first import of Hydra


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says of its words."""
    capsys.readouterr()
    began = time.process_time()
    assert main(words) == 2
    assert time.process_time() - began < _SECONDS
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert len(said) < 700
    return said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", f"seed={HEX}"], "seed=0xffff"),
        (
            ["train", f"seed={DIGITS}"],
            "99999... (5,000 letters): holds a number",
        ),
        (["train", f"seed={MANY}"], "is beyond 64 bits"),
        (["train", "seed=1e400"], "must be a whole number in [0, 2^63)"),
        (["train", f"trainer.max_examples={MANY}"], "is beyond 64 bits"),
        (["train", f"model.latent_dim={MANY}"], "model.latent_dim=9"),
        (["train", f"seed={'[' * 3000}{']' * 3000}"], "is more than 64 levels deep"),
        (["train", f"+a={'{a:' * 3000}1{'}' * 3000}"], "is more than 64 levels deep"),
        (["train", f"seed={'${' * 3000}{'}' * 3000}"], "is more than 64 levels deep"),
        (["train", f"+a={'f(' * 3000}"], "is more than 64 levels deep"),
        (["train", f"+{'a.' * 3000}b=1"], "is longer than any key"),
        (["train", f"+{'b' * 300}=1"], "is longer than any key"),
        (["train", f"seed={'1,' * 100_000}"], "is longer than a command line takes"),
        (["train", "-m", "seed=range(1000000000000)"], "lists 1,000,000,000,000 values"),
        (["sweep", "plan", "seed=range(0,1e12)"], "lists 1,000,000,000,000 values"),
        (["train", "-m", "seed=range(0,1,1e-300)"], "lists more than 10^15 values"),
        (["train", "-m", "seed=shuffle(range(1000000000000))"], "lists 1,000,000,000,000 values"),
        (["train", "-m", "seed=range(0,1,0)"], "has a step of 0"),
        (["train", "-m", "seed=range(0,inf)"], "not finite"),
        (["train", "-m", "seed=range(0,nan)"], "not finite"),
        (["train", "-m", *TEN], "= 100,000,000,000,000,000,000 jobs; a sweep has at most 10,000"),
        (["train", "-m", "seed=range(1000)", "model.latent_dim=range(1,1000)"], "1000 x 999 = 999,000 jobs"),
        (["train", "-m", "sweep.repeats=1000", "model.latent_dim=range(1,100)"], "99 x 1000 = 99,000 jobs"),
        (["sample", "latest", "--num", DIGITS], " letters): must be a whole number below 2^63"),
        (["sample", "latest", "--seed", MANY], " letters): must be a whole number below 2^63"),
        (["sample", "latest", "--num", "1_0"], "--num=1_0: must be a whole number below 2^63"),
        (["sample", "latest", "--truncation", "1e400"], "--truncation=1e400: must be a finite number"),
        (["job", "here", DIGITS], " letters): must be a whole number below 2^63"),
        (["sweep", "retry", "latest", DIGITS], "JOB=9"),
        (["sweep", "retry", "latest", "²"], "JOB=²: must be a whole number"),
    ],
    ids=lambda value: " ".join(word[:30] for word in value)[:60] if isinstance(value, list) else "",
)
def test_a_word_beyond_limits_is_refused(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(words, capsys)
    assert list(tmp_path.iterdir()) == []


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# @package _global_\nextra: &a [*a]\n", "leads back to where it stands"),
        (f"# @package _global_\n{BOMB}", "its aliases written out"),
        (f"# @package _global_\nextra: {'[' * 3000}{']' * 3000}\n", "more than 64 levels deep"),
        (f"# @package _global_\nseed: {HEX}\n", "seed=0xfff"),
        (f"# @package _global_\ntrainer:\n  max_examples: {MANY}\n", "is beyond 64 bits"),
    ],
    ids=["circle", "bomb", "deep", "hexadecimal", "digits"],
)
def test_a_yaml_of_the_users_own_beyond_limits_is_refused(
    text: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "conf" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(text)
    assert said in refused(["train", "--config-dir", "conf", "experiment=mine"], capsys)


def test_anchors_in_a_yaml_of_the_users_own_are_taken(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "conf" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# @package _global_\nseed: &n 7\ntrainer:\n  max_examples: *n\n")
    assert main(["train", "--config-dir", "conf", "experiment=mine", "--cfg", "job"]) == 0
    said = capsys.readouterr().out
    assert "seed: 7" in said
    assert "max_examples: 7" in said


def test_a_pipe_among_the_users_yamls_blocks_nobody(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    os.mkfifo(tmp_path / "conf" / "experiment" / "mine.yaml")
    assert "is no regular file" in refused(["train", "--config-dir", "conf", "experiment=mine"], capsys)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (HEX, "beyond 64 bits"),
        (MANY, "beyond 64 bits"),
        (f"{'[' * 3000}{']' * 3000}", "more than 64 levels deep"),
        ("&a [*a]", "an anchor or an alias"),
        ("!!python/name:os.system x", "holds the tag"),
        ("{a", "cannot be read"),
    ],
    ids=["hexadecimal", "digits", "deep", "circle", "tag", "torn"],
)
def test_a_word_of_a_resumption_is_read_within_limits(
    value: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    forge(tmp_path / "outputs" / "train" / "r", status={"state": "interrupted"})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = refused(["resume", "r", f"trainer.max_examples={value}"], capsys)
    assert found.startswith("trainer.max_examples=")
    assert said in found
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

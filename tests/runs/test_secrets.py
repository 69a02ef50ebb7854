"""A secret that a run is given stands in no byte of what it writes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from run_files import newest_checkpoint, only_run

SECRET, OF_ENVIRONMENT = "hunter2-of-the-line", "swordfish-of-the-environment"

_LOGGER = '''
import logging
import os

from pytorch_lightning.loggers import CSVLogger


class Chatty{number}(CSVLogger):
    """Says all that it knows, wherever it can."""

    def __init__(self, save_dir: str, api_key: str, auth: str, fails: bool):
        super().__init__(save_dir, name="", version="chatty")
        self.api_key, self.auth, self.fails = api_key, auth, fails

    def log_metrics(self, metrics, step=None):
        logging.getLogger("chatty").warning("logs in with %s and %s", self.api_key, self.auth)
        with open("logins.txt", "a") as file:
            file.write(f"{{os.environ.get('LOCAL_RANK', '0')}} {{self.api_key}} {{self.auth}}\\n")
        if self.fails:
            raise ConnectionError(f"the server does not know {{self.api_key}} of {{self.auth}}")
'''
_YAML = """
defaults: [tensorboard]
chatty:
  _target_: chatty{number}.Chatty{number}
  save_dir: ${{paths.run_dir}}
  api_key: null
  auth: "name:${{oc.env:CHATTY_TOKEN,none}}"
  fails: false
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A user's own conf with a logger that gives its secrets away, and the words that train with it."""
    number = abs(hash(tmp_path))  # each test imports a module of its own
    (tmp_path / "conf" / "logger").mkdir(parents=True)
    (tmp_path / "conf" / "logger" / f"chatty{number}.py").write_text(_LOGGER.format(number=number))
    (tmp_path / "conf" / "logger" / "chatty.yaml").write_text(_YAML.format(number=number))
    monkeypatch.setenv("CHATTY_TOKEN", OF_ENVIRONMENT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    words = [
        "train",
        "--config-dir",
        "conf",
        "logger=chatty",
        f"logger.chatty.api_key={SECRET}",
        "trainer=smoke",
    ]
    monkeypatch.setattr(sys, "argv", ["ganvas", *words])
    return words


def holding(folder: Path, *texts: str) -> list[tuple[str, str]]:
    """(file, text) for every file under a folder, or its name, that holds one of the texts."""
    found = []
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        found += [(path.name, text) for text in texts if text.encode() in data or text in str(path)]
    return found


def test_nothing_that_a_run_writes_holds_its_secrets(ganvas, tmp_path: Path, words: list[str]) -> None:
    done = ganvas(*words, "callback.evaluation.num_samples=50")
    run = only_run(tmp_path)
    assert f"0 {SECRET} name:{OF_ENVIRONMENT}" in (tmp_path / "logins.txt").read_text(), "it was given"
    assert holding(run, SECRET, OF_ENVIRONMENT) == []
    assert SECRET not in done.stdout + done.stderr
    stored = yaml.safe_load((run / "run.yaml").read_text())
    assert stored["config"]["logger"]["chatty"]["api_key"] == "<redacted>"
    assert stored["config"]["logger"]["chatty"]["auth"] == "name:<redacted>"
    assert "logger.chatty.api_key=<redacted>" in stored["ganvas"]["overrides"]
    assert "logger.chatty.api_key=<redacted>" in stored["ganvas"]["command"]
    assert "logs in with <redacted> and name:<redacted>" in (run / "train.log").read_text()
    events = b"".join(path.read_bytes() for path in run.glob("tensorboard/events*"))
    assert b"<redacted>" in events, "the config stands there as text, so there was something to hide"


def test_nothing_that_a_failure_writes_holds_them(ganvas, tmp_path: Path, words: list[str]) -> None:
    ended = ganvas(*words, "logger.chatty.fails=true", code=None, fresh=True)
    run = only_run(tmp_path)
    assert ended.returncode in (0, 1)
    assert holding(run, SECRET, OF_ENVIRONMENT) == []
    assert "the server does not know <redacted>" in (run / "train.log").read_text()


def test_a_resumed_run_wants_its_secret_again(ganvas, tmp_path: Path, words: list[str]) -> None:
    ganvas(*words, "callback=none")
    run = only_run(tmp_path)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    resume = ["resume", "latest", "--config-dir", "conf", "trainer.max_examples=1280"]
    refused = ganvas(*resume, code=2)
    (line,) = refused.stderr.splitlines()
    assert line.startswith("logger.chatty.api_key=<redacted>: ")
    assert "give it again: logger.chatty.api_key=VALUE" in line
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    auth = f"logger.chatty.auth=name:{OF_ENVIRONMENT}"
    refused = ganvas(*resume, auth, code=2)
    assert refused.stderr.startswith("logger.chatty.api_key=<redacted>: ")
    ganvas(*resume, auth, "logger.chatty.api_key=another-one")
    assert newest_checkpoint(run)["ganvas_clock"]["examples_seen"] == 1280
    assert holding(run, SECRET, OF_ENVIRONMENT, "another-one") == []


def test_an_error_does_not_repeat_a_secret(ganvas, tmp_path: Path, words: list[str]) -> None:
    for wrong in (f"logger.chatty.api_kee={SECRET}", f"logger.chatty.fails={SECRET}", f"+x.token={SECRET}="):
        done = ganvas(*words, wrong, code=2)
        assert SECRET not in done.stderr, wrong
    assert not (tmp_path / "outputs").exists()


def test_a_sweep_hides_them_too(ganvas, tmp_path: Path, words: list[str]) -> None:
    done = ganvas(*words, "callback=none", "-m", "logger.chatty.api_key=first-secret,second-secret")
    assert holding(tmp_path / "outputs", "first-secret", "second-secret", SECRET, OF_ENVIRONMENT) == []
    assert not re.search("first-secret|second-secret", done.stdout)
    assert len(list(tmp_path.glob("outputs/*/*/*/status.json"))) == 2
    (table,) = tmp_path.glob("outputs/*/*/results.csv")
    assert table.read_text().count("logger.chatty.api_key=<redacted>") == 2


def test_every_rank_has_the_secret(ganvas, tmp_path: Path, words: list[str]) -> None:
    """A further rank reads run.yaml, where it is not; it takes it off its own command line."""
    ganvas(
        *words, "callback=minimal", "accelerator=ddp_cpu", "callback.evaluation.num_samples=50", fresh=True
    )
    logins = set((tmp_path / "logins.txt").read_text().splitlines())
    assert logins >= {f"{rank} {SECRET} name:{OF_ENVIRONMENT}" for rank in (0, 1)}
    run = only_run(tmp_path)
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert holding(run, SECRET, OF_ENVIRONMENT) == []

"""What a run checks of a tracker before it begins, and which process talks to it."""

from __future__ import annotations

import json
import os
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only

from ganvas.cli.main import main
from ganvas.logger.mlflow import Mlflow
from ganvas.logger.process.tracker import Tracker

PACKAGES = {"wandb": "wandb", "mlflow": "mlflow", "comet": "comet_ml", "aim": "aim", "trackio": "trackio"}


class Recorder(Tracker):
    """Its process is whatever Python runs ``serve.py``; here one that writes down what it is sent."""

    tracker = "recorder"
    package = "json"


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\n[ "$2" = -c ] && exit 0\nexec cat > "{tmp_path}/got"\n')
    program.chmod(0o755)
    monkeypatch.setenv("GANVAS_RECORDER_PYTHON", str(program))
    run = str(tmp_path / "run")
    return Recorder(run_dir=run, save_dir=f"{run}/recorder", project="p", finish_seconds=10)


def got(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "got").read_text().splitlines()]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec(PACKAGES[name]) is not None:
        pytest.skip(f"{name} is installed here")
    (tmp_path / name).mkdir()  # what a tracker leaves under its own name is no package
    monkeypatch.chdir(tmp_path)
    assert main(["train", "trainer=smoke", f"logger=[tensorboard,{name}]", "paths.output_dir=out"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"logger.{name}._target_=")
    assert said.endswith(f"needs an extra; pip install 'ganvas[{name}]'\n")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("python", "says"), [("/nowhere/python", "is no program"), (sys.executable, "has no mlflow")]
)
def test_another_python_must_have_the_package(
    python: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if find_spec("mlflow") is not None:
        pytest.skip("mlflow is installed here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANVAS_MLFLOW_PYTHON", python)
    assert main(["train", "trainer=smoke", "logger=mlflow", "paths.output_dir=out"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"GANVAS_MLFLOW_PYTHON={python}: {says}")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_seconds_are_checked(recorder: Recorder, tmp_path: Path) -> None:
    for wrong in (0.0, -1.0, float("nan"), float("inf"), 4000.0):
        with pytest.raises(ValueError, match="finish_seconds"):
            Recorder(run_dir=str(tmp_path), save_dir=str(tmp_path), project="p", finish_seconds=wrong)


def test_what_is_sent(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.yaml").write_text("config: {model: {a: 1, b: [2, 3], c: null}}\nganvas: {}\n")
    recorder.log_metrics({"loss/x": 0.1, "loss/y": float("nan"), "loss/z": float("inf")}, 64)
    recorder.take_image("samples", torch.arange(12, dtype=torch.uint8).view(3, 2, 2), 128)
    recorder.finalize("success")
    hello, row, image, close = got(tmp_path)
    assert hello["params"] == {"run_dir": str(tmp_path / "run"), "model.a": 1, "model.b": "[2, 3]"}
    assert hello["id"] == json.loads((tmp_path / "run" / "recorder" / "run.json").read_text())["id"]
    assert row == {"kind": "row", "step": 64, "values": {"loss/x": 0.1}}
    assert (image["kind"], image["tag"], image["step"]) == ("image", "samples", 128)
    assert close == {"kind": "close", "status": "success"}


def test_the_id_is_kept_and_a_foreign_one_is_not_taken(recorder: Recorder, tmp_path: Path) -> None:
    noted = tmp_path / "run" / "recorder" / "run.json"
    noted.parent.mkdir(parents=True)
    for text, stays in ((f'{{"id": "{"a1" * 16}"}}', True), ('{"id": "../../x"}', False), ("{", False)):
        noted.write_text(text)
        one = Recorder(run_dir=str(tmp_path / "run"), save_dir="s", project="p", finish_seconds=10)
        one.log_metrics({"x": 1.0}, 0)
        one.finalize("success")
        assert (got(tmp_path)[0]["id"] == "a1" * 16) is stays


def test_other_ranks_forks_and_copies_are_silent(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rank_zero_only, "rank", 1)
        recorder.log_metrics({"x": 1.0}, 0)
        recorder.finalize("success")
    if (child := os.fork()) == 0:  # before there is a line
        recorder.log_metrics({"x": 1.0}, 0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not (tmp_path / "run").exists()
    recorder.log_metrics({"x": 1.0}, 64)
    pickle.loads(pickle.dumps(recorder)).log_metrics({"x": 2.0}, 64)
    if (child := os.fork()) == 0:
        recorder.log_metrics({"x": 3.0}, 64)
        recorder.finalize("success")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    recorder.finalize("success")
    assert [one["values"] for one in got(tmp_path) if one.get("kind") == "row"] == [{"x": 1.0}]


def test_what_cannot_be_started_ends_nothing(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "python").unlink()
    for _ in range(2):
        with pytest.raises(OSError, match="cannot be started"):
            recorder.log_metrics({"x": 1.0}, 0)
    recorder.finalize("success")


def test_keys_make_it_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mlflow, "package", "json")
    one = Mlflow(run_dir=str(tmp_path), save_dir=str(tmp_path), project="p", finish_seconds=1)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert not one.is_online
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert one.is_online

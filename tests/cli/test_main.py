from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ganvas.cli.commands import COMMANDS
from ganvas.cli.main import entry, main

_HEAVY = ("torch", "pytorch_lightning", "hydra", "omegaconf", "numpy")


def test_help_imports_nothing_heavy() -> None:
    source = f"""
import sys
from ganvas.cli.main import main
for words in (["--help"], [], ["train", "--help"], ["--version"], ["trian"]):
    main(words)
print([name for name in {_HEAVY} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_help_names_every_command(words: list[str], ganvas) -> None:
    text = ganvas(*words).stdout
    for command in COMMANDS:
        assert f"  {command} " in text


def test_every_command_explains_itself(ganvas, capsys: pytest.CaptureFixture[str]) -> None:
    assert "  model/quantizer " in ganvas("train", "--help").stdout
    assert "fsq, vq, vq_ema" in ganvas("train", "-h").stdout
    for command in COMMANDS.keys() - {"train"}:
        try:
            code: object = main([command, "--help"])
        except SystemExit as ended:  # argparse's way
            code = ended.code
        assert code == 0
        assert f"usage: ganvas {command}" in capsys.readouterr().out


def test_version(ganvas) -> None:
    assert ganvas("--version").stdout == "0.1.0\n"


def test_cfg_prints_the_composed_config(ganvas, tmp_path: Path) -> None:
    text = ganvas("train", "--cfg", "job", "model=dcgan", "seed=7").stdout
    config = yaml.safe_load(text)
    assert config["model"]["_target_"] == "ganvas.model.gan.GAN"
    assert config["seed"] == 7
    assert config["model"]["seed"] == "${seed}"
    resolved = yaml.safe_load(ganvas("train", "--cfg", "job", "--resolve", "model=dcgan", "seed=7").stdout)
    assert resolved["model"]["seed"] == 7
    assert resolved["data"]["image_size"] == 16
    assert not list(tmp_path.iterdir())


def test_an_interrupt_before_training_is_no_traceback(ganvas, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("ganvas.cli.runs.runs.run", stop)
    assert ganvas("runs", "ls", code=130).stderr == "interrupted\n"


@pytest.mark.parametrize(
    "moment",
    ["ganvas.run.process.lean_import.keep_torchmetrics_lean", "ganvas.run.folder.redact.remember_words"],
)
def test_an_interrupt_before_the_command_is_no_traceback(
    moment: str, ganvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moment, _stop)
    assert ganvas("runs", "ls", code=130).stderr == "interrupted\n"


@pytest.mark.parametrize("moment", ["prepare_streams", "main", "lost_output", "_end_of_rank"])
def test_an_interrupt_of_the_console_script_is_no_traceback(
    moment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ganvas.cli.main.prepare_streams", "ganvas.run.process.orphan.watch_parent"):
        monkeypatch.setattr(name, lambda *_: None)
    monkeypatch.setattr("ganvas.run.process.spinning.bound_spinning", lambda: None)
    monkeypatch.setattr("ganvas.cli.main.main", lambda: 0)
    monkeypatch.setattr(f"ganvas.cli.main.{moment}", _stop)
    with pytest.raises(SystemExit) as ended:
        entry()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "show", "NAME"],
        ["runs", "ls", "--output-dir", "NAME"],
        ["sweep", "status", "NAME"],
        ["compare", "NAME", "NAME"],
        ["plot", "NAME"],
        ["sample", "NAME"],
        ["job", "NAME", "0"],
        ["options", "--config-dir", "NAME"],
        ["shards", "data=digits", "--out", "NAME"],
    ],
)
@pytest.mark.parametrize("letter", ["x", "*"])
def test_a_name_longer_than_any_files(words: list[str], letter: str, ganvas, tmp_path: Path) -> None:
    done = ganvas(*(word.replace("NAME", letter * 300) for word in words), code=2)
    (line,) = done.stderr.splitlines()
    assert len(line) < 1000
    assert letter * 50 in line
    assert list(tmp_path.iterdir()) == []

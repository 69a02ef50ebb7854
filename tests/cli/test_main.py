from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ganvas.cli.commands import COMMANDS
from ganvas.cli.main import main

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

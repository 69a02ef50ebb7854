from __future__ import annotations

import subprocess
import sys
import tomllib
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
    assert "simvq, vq, vq_ema" in ganvas("train", "-h").stdout
    for command in COMMANDS.keys() - {"train"}:
        try:
            code: object = main([command, "--help"])
        except SystemExit as ended:  # argparse's way
            code = ended.code
        assert code == 0
        assert f"usage: ganvas {command}" in capsys.readouterr().out


def test_version(ganvas) -> None:
    """It stands in the package's metadata, in the code, in the citation and at the top of the CHANGELOG."""
    root = Path(__file__).parents[2]
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert ganvas("--version").stdout == f"{version}\n"
    assert yaml.safe_load((root / "CITATION.cff").read_text())["version"] == version
    newest = next(line for line in (root / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert newest.split()[1] == version


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


def test_a_printed_config_is_what_a_run_would_have(ganvas) -> None:
    """dropout is the residual quantizer's, for which the recipe sets it."""
    words = ["model=sound_vqvae", "data=sound_folder", "data.root=."]
    for flags in (["--cfg", "job"], ["--cfg", "job", "--resolve"]):
        for order in ([*flags, *words, "model/quantizer=fsq"], [*words, "model/quantizer=fsq", *flags]):
            assert "dropout" not in yaml.safe_load(ganvas("train", *order).stdout)["model"]["quantizer"]
        assert yaml.safe_load(ganvas("train", *words, *flags).stdout)["model"]["quantizer"]["dropout"] == 0.5


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


_LAUNCHERS = {
    "SLURM_STEP_NUM_TASKS": {},
    "RANK": {"WORLD_SIZE": "1", "LOCAL_RANK": "0"},
    "WORLD_SIZE": {"RANK": "0", "LOCAL_RANK": "0"},
    "MASTER_PORT": {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"},
}


@pytest.mark.parametrize("text", ["x", "99999999", "-1"])
@pytest.mark.parametrize("name", _LAUNCHERS)
def test_a_launchers_words_matter_where_ranks_do(
    name: str, text: str, ganvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in (_LAUNCHERS[name] | {name: text}).items():
        monkeypatch.setenv(key, value)
    assert "usage" in ganvas("--help").stdout
    assert ganvas("runs", "ls").stdout.startswith("there is no run")
    if (name, text) in (("SLURM_STEP_NUM_TASKS", "99999999"), ("WORLD_SIZE", "99999999")):
        return  # a number that a launcher could set
    done = ganvas("train", "trainer.max_examples=64", code=2)
    assert done.stderr.startswith(f"{name}={text}: ")
    assert done.stderr.count("\n") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["runs", "ls", "--output-dir", "~nosuchuser"], "--output-dir"),
        (["sample", "latest", "--out=~nosuchuser/x.png"], "--out"),
        (["train", "--config-dir", "~nosuchuser"], "--config-dir"),
        (["train", 'paths.output_dir="~nosuchuser"'], "paths.output_dir"),
        (["train", "-m", "seed=1,2", 'hydra.sweep.dir="~nosuchuser"'], "hydra.sweep.dir"),
    ],
)
def test_the_home_folder_of_nobody(words: list[str], option: str, ganvas, tmp_path: Path) -> None:
    """Nothing is made, least of all a folder that is called ~nosuchuser."""
    said = ganvas(*words, code=2).stderr
    assert said.replace('"', "").startswith(f"{option}=~nosuchuser")
    assert "there is no user nosuchuser; write the folder out" in said
    assert not list(tmp_path.iterdir())


def test_home_stands_for_the_users_folder(ganvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves --output-dir=~/x and paths.output_dir=~/x as they are."""
    from ganvas.cli.compose.experiment import compose

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert "home/runs" in ganvas("runs", "ls", "--output-dir=~/runs").stdout
    paths = compose(['paths.output_dir="~/runs"']).config["paths"]
    assert paths["output_dir"] == str(tmp_path / "home/runs")
    assert paths["run_dir"].startswith(f"{tmp_path}/home/runs/train/")


def test_a_current_folder_that_was_deleted(ganvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "usage" in ganvas("--help").stdout
    ganvas("train", "--help")
    for words in (["runs", "ls"], ["train"], ["sample", "latest"]):
        assert ": the current folder was deleted; cd to" in ganvas(*words, code=2).stderr


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_memory_that_is_not_there_is_one_line_and_exit_code_1(ganvas) -> None:
    told = ganvas("train", "data=stacked_digits", "data.num_train=9999999999999", code=1).stderr
    assert told.startswith("the memory of this machine is not enough (240 TB more were asked for and ")
    assert "; take a smaller data.batch_size" in told
    assert told.count("\n") == 1


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

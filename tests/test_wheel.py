"""What a user installs: the wheel, in an environment without this checkout, from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([*command, str(folder), str(ROOT)], check=True, timeout=300)
    (path,) = folder.glob("ganvas-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of an environment with the wheel and this one's libraries, without its ganvas."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], text=True
        ).strip()
    )
    # Libraries by path; .pth files inside that folder (the editable ganvas) are not followed from here.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)],
        check=True,
        timeout=300,
    )
    return folder / "bin" / "ganvas"


def run(script: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(script), *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


def test_the_wheel_ships_every_option_and_the_starter(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".yaml")}
    starter = ROOT / "src" / "ganvas" / "starter"
    assert shipped == {
        *(f"ganvas/conf/{path.relative_to(ROOT / 'conf')}" for path in ROOT.glob("conf/**/*.yaml")),
        *(f"ganvas/starter/{path.relative_to(starter)}" for path in starter.glob("conf/**/*.yaml")),
    }


def test_a_project_of_ones_own_trains(installed: Path, tmp_path: Path) -> None:
    run(installed, "init", "project", cwd=tmp_path)
    words = ["--config-dir", "conf", "experiment=mine_vqvae", "trainer.max_examples=640"]
    run(installed, "train", *words, cwd=tmp_path / "project")
    (run_,) = json.loads(run(installed, "runs", "ls", "--json", cwd=tmp_path / "project").stdout)
    assert (run_["state"], run_["model"], run_["data"]) == ("finished", "mine", "mine")


def test_trains_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    run(installed, "train", "trainer=smoke", "callback=minimal", cwd=tmp_path)
    (run_,) = json.loads(run(installed, "runs", "ls", "--json", cwd=tmp_path).stdout)
    assert (run_["state"], run_["examples_seen"]) == ("finished", 640)
    assert (run_["model"], run_["data"]) == ("mlp_gan", "digits")


_MINE = '''
from torch import nn


class Mine(nn.Module):
    """One linear layer."""

    def __init__(self, latent_dim: int, sample_shape: list[int], scale: float):
        super().__init__()
        self.latent_dim, self.sample_shape, self.scale = latent_dim, sample_shape, scale
        self.layer = nn.Linear(latent_dim, sample_shape[0] * sample_shape[1] * sample_shape[2])

    def forward(self, z, label=None):
        return (self.scale * self.layer(z)).tanh().unflatten(1, self.sample_shape)
'''


def test_a_users_own_part(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "model" / "generator"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(_MINE)
    (folder / "mine.yaml").write_text(
        textwrap.dedent("""
        _target_: mine.Mine
        latent_dim: ${model.latent_dim}
        sample_shape: ${data.sample_shape}
        scale: 0.5
        """)
    )
    common = ("--config-dir", "conf")
    run(
        installed,
        "train",
        *common,
        "model/generator=mine",
        "model.generator.scale=2",
        "trainer=smoke",
        "callback=minimal",
        cwd=tmp_path,
    )
    run(installed, "sample", "latest", *common, "--num", "4", "--out", "own.png", cwd=tmp_path)
    assert (tmp_path / "own.png").stat().st_size > 0
    refused = subprocess.run(
        [str(installed), "sample", "latest"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2, (
        "a RUN is data: it may not name a module that this command line did not allow"
    )
    assert "mine.Mine" in refused.stderr

"""The commands in this process, and two trained runs that they read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from ganvas.cli.main import main


class Done(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ganvas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """``ganvas("sample", "latest")`` in tmp_path; ``code`` is the exit code that must come."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> Done:
        capsys.readouterr()
        done = Done(main(list(words)), *capsys.readouterr())
        assert done.returncode == code, done
        return done

    return run


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with the runs ``a_gan`` (MLP GAN) and ``b_vqvae`` (MLP VQ-VAE), 128 digits each."""
    folder = tmp_path_factory.mktemp("trained") / "outputs"
    for name, model in (("a_gan", "mlp_gan"), ("b_vqvae", "mlp_vqvae")):
        words = [f"model={model}", f"paths.run_dir={folder}/train/{name}", "trainer.max_examples=128"]
        assert main(["train", *words, "callback=none", "logger=none"]) == 0
    return folder


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an MLP GAN on points."""
    run = tmp_path_factory.mktemp("points") / "outputs" / "train" / "toy"
    data = ["data=toy", "data.num_train=512", "data.num_val=64", "data.num_test=64"]
    words = ["model=mlp_gan", *data, f"paths.run_dir={run}", "trainer.max_examples=512"]
    assert main(["train", *words, "callback=none", "logger=none"]) == 0
    return run


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder with five images, ``flat/0.png`` and so on."""
    (tmp_path / "flat").mkdir()
    for number in range(5):
        Image.new("RGB", (8, 8), (40 * number, 2, 3)).save(tmp_path / "flat" / f"{number}.png")
    return tmp_path

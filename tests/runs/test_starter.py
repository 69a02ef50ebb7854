"""The project that ``ganvas init`` writes trains at once, and its parts keep the contracts of ours."""

from __future__ import annotations

import importlib
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.cli.before_training.init import starter
from ganvas.cli.main import main

_README = (starter() / "README.md").read_text()
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", _README, re.M | re.S) for line in block.splitlines()
]
_SHORT = {"experiment=mine_gan": 12800, "experiment=mine_vqvae": 40000, "callback=[default,mine]": 12800}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert main(["init", str(tmp_path / "project")]) == 0
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def parts(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of the project's package by its last name; all are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(project))
    yield lambda name: importlib.import_module(f"mine.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def rows(folder: Path) -> list[dict[str, float]]:
    (path,) = folder.glob("outputs/*/*/metrics.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("command", [line for line in COMMANDS if " train " in line])
def test_the_training_commands_of_its_readme(command: str, project: Path, ganvas, monkeypatch) -> None:
    monkeypatch.chdir(project)
    words = command.split()[1:]
    examples = next((n for word, n in _SHORT.items() if word in words), 640)
    ganvas(*words, f"trainer.max_examples={examples}", "accelerator=cpu", fresh=True)
    logged = rows(project)
    assert logged[-1]["examples"] >= examples
    if "mine_gan" in command or "callback=" in command:
        norms = [row for row in logged if "weight_norm/generator" in row]
        assert [row["examples"] for row in norms] == [10048], "the first batch of 64 at or over 10,000"
        assert norms[0]["weight_norm/generator"] > norms[0]["weight_norm/discriminator"] > 1
    if "mine_vqvae" in command:
        losses = [row["loss/reconstruction"] for row in logged if "loss/reconstruction" in row]
        assert losses[-1] < 0.5 * losses[0]
    if "mine_gan" in command:
        ganvas("sample", "latest", "--config-dir", "conf", "--out", "samples.png", fresh=True)
        assert (project / "samples.png").is_file()
        assert "ganvas sample latest --config-dir conf --out samples.png" in COMMANDS


def test_its_quantizer_is_its_own_inverse(parts) -> None:
    quantizer = parts("quantizer").Signs(embedding_dim=4)
    indices = torch.arange(16).view(2, 1, 2, 4)
    codes = quantizer.decode(indices)
    assert codes.shape == (2, 4, 2, 4)
    assert codes[0, :, 1, 1].tolist() == [1, -1, 1, -1], "5 is 0101, its lowest bit first"
    assert torch.equal(quantizer.encode(3 * codes), indices)
    output = quantizer(0.5 * codes)
    assert torch.equal(output.indices, indices)
    torch.testing.assert_close(output.loss, torch.tensor(0.01 * (1 - math.tanh(0.5)) ** 2))


def test_its_quantizers_step_asks_the_device_nothing(parts) -> None:
    quantizer = parts("quantizer").Signs(embedding_dim=4).to("meta")  # where any look raises
    assert quantizer(torch.randn(2, 4, 3, device="meta")).indices.shape == (2, 1, 3)


def test_its_loss_is_least_squares(parts) -> None:
    loss = parts("adversarial_loss").LeastSquares()
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([3.0, 1.0])
    assert loss.discriminator(real_logits=real, fake_logits=fake).item() == pytest.approx(0.5 + 2.5)
    assert loss.generator(fake_logits=fake).item() == pytest.approx(1.0)
    assert loss.generator(fake_logits=fake.half()).dtype == torch.float32
    assert loss.generator(fake_logits=fake.double()).dtype == torch.float64


def test_its_data_are_discs_with_the_right_label(parts) -> None:
    data = parts("data").Discs(channels=1, image_size=16, num_classes=2, num_train=200, batch_size=8)
    train = data.split("train")
    x = train.x[:, 0].double()
    column = (x * torch.arange(16)).sum((1, 2)) / x.sum((1, 2))  # centre of mass
    clear = (column - 8).abs() > 0.3
    assert clear.sum() > 150
    assert torch.equal(train.label[clear], (column > 8).long()[clear])
    area = x.sum((1, 2)) / 255
    assert (area > 6).all()
    assert (area < 30).all(), "radius 1.5 to 3 pixels"

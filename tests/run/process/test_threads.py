"""One thread where networks are small; what the user says comes first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from ganvas.cli.compose.experiment import compose
from ganvas.run.prepare import prepare
from ganvas.run.process.threads import LEAST_WORK, choose_threads, has_work


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    yield
    torch.set_num_threads(before)


def test_work_is_that_of_the_largest_layer() -> None:
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(1000, 4))
    batch = LEAST_WORK // 4000
    assert has_work(model, batch)
    assert not has_work(model, batch - 1)
    assert has_work(nn.Sequential(nn.Linear(2, 2), nn.Conv2d(1, 1, 3)), 1)


@pytest.mark.parametrize(
    ("words", "threads"),
    [
        (["model=mlp_gan", "data=digits"], 1),
        (["model=mlp_gan", "data=digits", "accelerator.threads=2"], 2),
        (["model=mlp_gan", "data=digits", "model.generator.hidden_dim=2048"], 2),
        (["model=dcgan", "data=digits"], 2),
    ],
)
def test_threads_of_a_run(words: list[str], threads: int) -> None:
    prepare(compose([*words, "accelerator=cpu"]).config)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_environment_comes_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "2")
    choose_threads(None, nn.Linear(2, 2), 4, uses_cpu=True)
    assert torch.get_num_threads() == 2


def test_an_accelerator_leaves_them() -> None:
    choose_threads(None, nn.Linear(2, 2), 4, uses_cpu=False)
    assert torch.get_num_threads() == 2

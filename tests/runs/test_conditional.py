"""A generator of one's own that is asked for classes, judged class by class."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas import OptionError, load
from ganvas.data.digits import Digits
from ganvas.functional.frechet import frechet_distance
from ganvas.functional.images import to_float

_PART = '''
import torch
from torch import nn


class Conditional(nn.Module):
    """A linear map of latent and class to an image."""

    def __init__(self, latent_dim: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes, 64)
        self.linear = nn.Linear(latent_dim, 64)

    def forward(self, z, label=None):
        classes = torch.zeros(len(z), dtype=torch.int64, device=z.device) if label is None else label
        return torch.tanh(self.linear(z) + 2 * self.embedding(classes)).view(-1, 1, 8, 8)
'''


@pytest.fixture
def conditional(ganvas, tmp_path: Path) -> Path:
    folder = tmp_path / "conf" / "model" / "generator"
    folder.mkdir(parents=True)
    (folder / "conditional.py").write_text(_PART)
    (folder / "conditional.yaml").write_text(
        "_target_: conditional.Conditional\n"
        "latent_dim: ${model.latent_dim}\n"
        "num_classes: ${data.num_classes}\n"
    )
    words = (
        "model/generator=conditional",
        "trainer=smoke",
        "logger=none",
        "callback=[checkpoint,evaluation]",
    )
    more = ("metric/samples=intra_class_fid", "callback.evaluation.num_samples=400")
    ganvas("train", "--config-dir", "conf", *words, *more)
    return tmp_path


def test_each_class_is_compared_with_its_own(ganvas, conditional: Path) -> None:
    words = ("--config-dir", "conf", "--num", "400", "--seed", "3")
    done = ganvas("evaluate", "latest", *words, "--metrics", "intra_class_fid", "fid", "--json")
    metrics = json.loads(done.stdout)["metrics"]
    ganvas("sample", "latest", *words, "--out", "samples.npz")
    made = np.load(conditional / "samples.npz")
    labels, images = made["labels"], made["images"][..., 0] / 127.5 - 1
    assert set(labels.tolist()) == set(range(10))
    real = Digits().split("test")
    assert real.label is not None
    distances = []
    for number in range(10):
        sides = [to_float(real.x[real.label == number]).numpy(), images[labels == number]]
        flat = [torch.from_numpy(side.reshape(len(side), 64)).double() for side in sides]
        moments = {}
        for place, rows in enumerate(flat, start=1):
            moments |= {f"mean_{place}": rows.mean(0), f"covariance_{place}": torch.cov(rows.T)}
        distances.append(float(frechet_distance(**moments)))
    assert metrics["intra_class_fid"] == pytest.approx(sum(distances) / 10, rel=0.02)  # of 8-bit images
    assert metrics["fid"] < 0.9 * metrics["intra_class_fid"]


def test_a_run_evaluates_so_at_its_end(conditional: Path) -> None:
    (status,) = conditional.glob("outputs/*/*/status.json")
    assert json.loads(status.read_text())["metrics"]["intra_class_fid"] > 0


def test_without_classes_it_is_refused_before_anything_is_written(ganvas, tmp_path: Path) -> None:
    done = ganvas("train", "metric/samples=intra_class_fid", "trainer=smoke", code=2)
    assert "this generator is not conditional" in done.stderr
    assert done.stderr.startswith("metric.samples.intra_class_fid")
    assert not (tmp_path / "outputs").exists()
    done = ganvas("train", "metric/samples=intra_class_fid", "data=toy", "trainer=smoke", code=2)
    assert len(done.stderr.splitlines()) == 1


def test_a_python_program_asks_for_classes(ganvas, conditional: Path) -> None:
    run = load("latest", config_dir="conf")
    command = ("--config-dir", "conf", "--num", "6", "--seed", "3", "--out", "samples.npz")
    ganvas("sample", "latest", *command)
    drawn = np.load(conditional / "samples.npz")
    z = run.model.latents(6, 3)
    for label, classes in ((None, drawn["labels"]), (7, [7] * 6), ([0, 1, 2, 3, 4, 9], [0, 1, 2, 3, 4, 9])):
        made = run.sample(6, 3, label, batch_size=4)
        with torch.no_grad():
            want = run.generator(z, torch.as_tensor(np.array(classes)))
        assert torch.allclose(made, want, atol=1e-6)
    images = (run.sample(6, 3) * 127.5 + 127.5).round().byte().movedim(1, -1).numpy()
    assert np.array_equal(images, drawn["images"])
    for label, reason in ((10, "must be from 0 to 9"), ([1, 2], "must be a class or 6 of them")):
        with pytest.raises(OptionError, match=reason):
            run.sample(6, 3, label)

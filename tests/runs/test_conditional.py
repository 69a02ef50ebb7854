"""A generator of one's own that is asked for classes, judged class by class."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas import OptionError, load
from ganvas.cli.trained.options.labels import labels_asked_for
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


@pytest.fixture
def asked(ganvas, tmp_path: Path) -> Path:
    words = ("model.conditional=true", "model.generator.hidden_dim=8", "trainer=smoke", "logger=none")
    ganvas("train", "model=mlp_gan", *words, "callback=[checkpoint,preview]")
    return tmp_path


def test_a_command_asks_for_classes(ganvas, asked: Path) -> None:
    ganvas("sample", "latest", "--label", "7, 2", "--num", "5", "--seed", "3", "--out", "samples.npz")
    made = np.load(asked / "samples.npz")
    assert made["labels"].tolist() == [7, 7, 7, 2, 2]
    expected = load("latest").sample(5, seed=3, label=[7, 7, 7, 2, 2])
    np.testing.assert_allclose(made["images"][..., 0] / 127.5 - 1, expected[:, 0], atol=0.5 / 127.5)
    ganvas("sample", "latest", "--label", "7", "--num", "5", "--seed", "3", "--out", "sevens.npz")
    sevens = np.load(asked / "sevens.npz")
    np.testing.assert_array_equal(sevens["images"][:3], made["images"][:3])
    assert (sevens["images"][3:] != made["images"][3:]).any(), "the class counts"


def test_a_preview_has_a_row_a_class(asked: Path) -> None:
    first, *_ = sorted(asked.glob("outputs/*/*/samples/*.png"))
    with Image.open(first) as image:
        assert image.height > 1.5 * image.width, "10 rows of 6"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--label", "10"), "--label=10: must be from 0 to 9"),
        (("--label", "seven"), "--label=seven: must be from 0 to 9; these data name no classes"),
        (("--label", ""), "--label=: must be from 0 to 9"),
        (("--label", "1,2", "--num", "1"), "--label=1,2: names 2 classes for 1 samples"),
    ],
)
def test_classes_that_are_none(words: tuple[str, ...], reason: str, ganvas, asked: Path) -> None:
    done = ganvas("sample", "latest", *words, "--out", "x.png", code=2)
    assert done.stderr.startswith(reason)
    assert len(done.stderr.splitlines()) == 1
    assert not (asked / "x.png").exists()


def test_names_of_classes() -> None:
    model = SimpleNamespace(num_classes=3)
    data = SimpleNamespace(class_names=["cat", "2", "dog"])
    assert labels_asked_for("dog,2,0", 3, model, data).tolist() == [2, 1, 0], "a name before a number"
    with pytest.raises(OptionError, match="or a name: cat, 2, dog"):
        labels_asked_for("bird", 3, model, data)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["data=toy"], "model.conditional=true: asks for classes, and data.num_classes is null"),
        (["model/head=plain"], "model.head=PlainHead: reads no labels"),
        (["model.generator.num_classes=null"], "model.generator=MLPGenerator: reads no labels"),
    ],
)
def test_a_conditional_model_needs_classes_in_all_its_parts(
    words: list[str], reason: str, ganvas, tmp_path: Path
) -> None:
    done = ganvas("train", "model=mlp_gan", "model.conditional=true", "trainer=smoke", *words, code=2)
    assert reason in done.stderr
    assert not (tmp_path / "outputs").exists()

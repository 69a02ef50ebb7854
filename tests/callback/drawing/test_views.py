"""TensorBoard's own readers find the mesh, the curve and the latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.mesh import plugin_data_pb2
from tensorboard.util import tensor_util
from torch.utils.tensorboard import SummaryWriter

from ganvas.callback.drawing.projector import write_projector
from ganvas.callback.drawing.views import Views, look, write_views
from ganvas.functional.batch import Batch
from ganvas.modality.points import Points
from ganvas.model.interface import Discriminates, FromLatents


class Game:
    """A generator of z itself, and a discriminator by its first value."""

    num_classes = None

    def sample(self, num: int, seed: int, **options: Any) -> torch.Tensor:
        return self.generate(self.latents(num, seed))

    def latents(self, num: int, seed: int, **options: Any) -> torch.Tensor:
        return torch.linspace(-1, 0, num)[:, None] * torch.tensor([1.0, 0.5])

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> None:
        return None

    def generate(self, z: torch.Tensor, label: Any = None, **options: Any) -> torch.Tensor:
        return z

    def discriminate(self, x: torch.Tensor, label: Any) -> torch.Tensor:
        return 1000 * x[:, 0]  # as large as a critic's, beyond what a sigmoid tells apart


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def test_points_and_the_decision_are_read_back(tmp_path: Path) -> None:
    game = Game()
    assert isinstance(game, FromLatents)
    assert isinstance(game, Discriminates)
    real = torch.linspace(-0.25, 1, 40)[:, None].expand(-1, 2)
    views = look(game, Batch(real, None), 20, 3, torch.device("cpu"), Points())
    assert views.vectors is None  # of points there are no pictures
    writer = SummaryWriter(str(tmp_path))
    for examples in (8, 16):
        write_views(writer, tmp_path, views, examples)
    writer.close()
    found = read(tmp_path)
    (vertices,) = (tag for tag in found.Tags()["tensors"] if tag.endswith("VERTEX"))
    assert [event.step for event in found.Tensors(vertices)] == [8, 16]
    made = game.sample(20, 3)
    drawn = tensor_util.make_ndarray(found.Tensors(vertices)[0].tensor_proto)[0]
    assert np.allclose(drawn[:, :2], torch.cat([real, made]))
    content = found.summary_metadata[vertices].plugin_data.content
    assert "PointsMaterial" in plugin_data_pb2.MeshPluginData.FromString(content).json_config

    (event, _) = found.Tensors("discriminator/real_among_generated")
    tp, fp, _, fn, precision, recall = tensor_util.make_ndarray(event.tensor_proto)
    assert (tp[0], fp[0]) == (40, 20)  # everything is called real
    assert (precision[0], recall[0]) == (pytest.approx(40 / 60), 1.0)
    assert np.allclose(tp + fn, 40)
    # The logits' order, by counting: all thresholds tell what some cut of the sorted logits tells.
    x, y = real[:, 0].numpy(), made[:, 0].numpy()
    cuts = {(int((x >= cut).sum()), int((y >= cut).sum())) for cut in [*x, *y, 2.0]}
    assert set(zip(tp.astype(int), fp.astype(int), strict=True)) <= cuts
    assert len(set(tp)) > 10  # not one step


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_run_that_diverged_goes_on(bad: float, tmp_path: Path) -> None:
    game = Game()
    game.generate = lambda z, label=None, **options: z * bad  # type: ignore[method-assign]
    views = look(game, Batch(torch.zeros(4, 2), None), 4, 0, torch.device("cpu"), Points())
    assert views.logits is None
    assert views.points is not None
    assert views.points[1].isfinite().all()


def test_latents_stand_beside_the_codebook(tmp_path: Path) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    write_projector(tmp_path, "codebook", torch.rand(3, 2), {"code": [0, 1, 2], "uses": [1, 1, 1]}, None)
    table = {"sample": [0, 1], "class": ["-", "-"]}
    views = Views(vectors=torch.rand(2, 5), pictures=torch.rand(2, 1, 90, 90), table=table)
    for _ in range(2):
        write_views(None, tmp_path, views, 8)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [one.tensor_name for one in config.embeddings] == ["codebook", "latents"]
    assert list(config.embeddings[1].sprite.single_image_dim) == [64, 64]
    assert len((tmp_path / "latents" / "vectors.tsv").read_text().splitlines()) == 2

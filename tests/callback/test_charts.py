"""TensorBoard's own readers find the layout, the config and one session of hyper-parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import yaml
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from ganvas.callback.charts import Charts, Result, chosen, layout, led, swept
from ganvas.callback.run_state import RunState, give_state
from ganvas.logger.tensorboard import TensorBoard
from ganvas.model.classifier import Classifier
from ganvas.model.gan import GAN
from ganvas.model.vqvae import VQVAE

CONFIG = {
    "seed": 3,
    "model": {
        "_target_": "ganvas.model.gan.GAN",
        "generator": {"_target_": "ganvas.model.generator.mlp.MLP", "hidden": 128, "_shared_": ["x"]},
        "ema": {"_target_": None},
        "generator_optimizer": {"lr": 0.0002, "betas": [0.5, 0.999], "_partial_": True},
        "grad_clip": None,
    },
    "data": {"_target_": "ganvas.data.mnist.MNIST", "batch_size": 64, "root": "somewhere"},
    "trainer": {"max_examples": 20, "log_every_examples": 4},
    "paths": {"run_dir": "elsewhere"},
}


class Metrics(pl.Callback):
    """Stands for the evaluation, which may come later in the list."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        pl_module.metrics = {"fid": 12.5}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"ganvas": "0.1.0", "config": CONFIG}))
    return tmp_path


def test_hyper_parameters_are_flat_and_plain() -> None:
    assert chosen(CONFIG) == {
        "model": "GAN",
        "model.generator": "MLP",
        "model.generator.hidden": 128,
        "model.generator_optimizer.lr": 0.0002,
        "model.generator_optimizer.betas": "0.5, 0.999",
        "data": "MNIST",
        "data.batch_size": 64,
        "seed": 3,
        "trainer.max_examples": 20,
    }


def test_a_finished_run(
    run_dir: Path, fit: Callable[..., Any], sampler: Callable[..., Any], events: Callable[[], Any]
) -> None:
    row = {"examples": 8, "source": "run", "metrics": {"fid": 0.25}, "better": {"fid": "min"}}
    (run_dir / "evaluations.jsonl").write_text(json.dumps(row) + "\n")
    fit(sampler((1, 8, 8)), [Charts(run_dir=str(run_dir)), Metrics()], batches=5)
    read = events()
    files = list((run_dir / "tensorboard").rglob("events.out.tfevents.*"))
    assert [file.parent for file in files] == [run_dir / "tensorboard"]  # one file, no run beside the run

    (event,) = read.Tensors("config/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    assert yaml.safe_load(text.removeprefix("```yaml\n").removesuffix("```"))["config"] == CONFIG

    layout = layout_pb2.Layout.FromString(
        read.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    )
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert charts["loss: generator, discriminator"] == ["loss/generator", "loss/discriminator"]
    assert charts["logits of D: real, generated"] == ["logits/real", "logits/fake"]

    metadata = read.summary_metadata
    start = plugin_data_pb2.HParamsPluginData.FromString(
        metadata["_hparams_/session_start_info"].plugin_data.content
    )
    hparams = start.session_start_info.hparams
    own = set(chosen(CONFIG)) - {"model.generator_optimizer.lr"}
    assert set(hparams) == {*own, "LR/model.generator_optimizer", "Final/fid", "Best/fid"}
    assert (hparams["Final/fid"].number_value, hparams["Best/fid"].number_value) == (12.5, 0.25)
    assert hparams["model.generator"].string_value == "MLP"
    assert hparams["data.batch_size"].number_value == 64
    assert sorted(hparams)[:3] == ["Best/fid", "Final/fid", "LR/model.generator_optimizer"]
    assert "_hparams_/session_end_info" in metadata
    (event,) = read.Tensors("results/text_summary")
    table = event.tensor_proto.string_val[0].decode()
    assert "| fid | 12.5 | 0.25 | 8 |" in table
    # A scalar of one point is a chart of one dot.
    assert not [tag for tag in read.Tags()["scalars"] if tag.startswith(("final/", "best/"))]
    assert "_hparams_/experiment" not in metadata  # of one run, it would hide the columns of others


def test_the_columns_of_hparams_begin_with_rates_and_the_main_metric() -> None:
    results = {"psnr": Result(24.0, 25.0, 8), "mse": Result(0.1, None, None)}
    columns = led({"model": "VQVAE", "model.optimizer.lr": 0.1, "seed": 1}, results)
    assert sorted(columns.items()) == [  # as TensorBoard sorts them
        ("Best/psnr", 25.0),
        ("Final/psnr", 24.0),
        ("LR/model.optimizer", 0.1),
        ("final/mse", 0.1),
        ("model", "VQVAE"),
        ("seed", 1),
    ]


def test_charts_name_scalars_as_the_logger_does(
    run_dir: Path, sampler: Callable[..., Any], data: Callable[..., Any], events: Callable[[], Any]
) -> None:
    logger = TensorBoard(save_dir=str(run_dir), name="", version="tensorboard", default_hp_metric=False)
    charts = Charts(run_dir=str(run_dir))
    give_state([charts], RunState(max_examples=None))
    pl.Trainer(
        max_steps=1,
        accelerator="cpu",
        logger=logger,
        callbacks=[charts],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    ).fit(sampler((1, 8, 8)), datamodule=data((1, 8, 8)))
    layout = layout_pb2.Layout.FromString(
        events().Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    )
    first = layout.category[0].chart[0]
    assert list(first.multiline.tag) == ["Loss/generator", "Loss/discriminator"]


@pytest.mark.parametrize(
    ("recipe", "first", "left_out"),
    [
        (GAN, "loss: generator, discriminator", "codes used: training, validation"),
        (VQVAE, "loss: total, reconstruction, commitment", "logits of D: real, generated"),
        (Classifier, "loss: training, validation", "loss: total, reconstruction, commitment"),
    ],
)
def test_each_recipe_has_its_own_charts_losses_first(recipe: Any, first: str, left_out: str) -> None:
    charts = layout(recipe.reports)["training"]
    assert next(iter(charts)) == first
    assert left_out not in charts
    tags = [tag for _, tags in charts.values() for tag in tags]
    assert "loss/codebook" not in tags  # the same distance as the commitment
    assert all(title.partition(": ")[2].count(",") == len(tags) - 1 for title, (_, tags) in charts.items())


def test_a_stopped_run_has_no_row(
    run_dir: Path,
    fit: Callable[..., Any],
    sampler: Callable[..., Any],
    interrupter: Callable[..., Any],
    events: Callable[[], Any],
) -> None:
    fit(
        sampler((1, 8, 8)),
        [Charts(run_dir=str(run_dir)), Metrics(), interrupter(2)],
        batches=5,
        max_examples=20,
    )
    assert "_hparams_/session_start_info" not in events().summary_metadata


def test_a_vqvae_has_charts_of_its_own(
    run_dir: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any], events: Callable[[], Any]
) -> None:
    fit(autoencoder(), [Charts(run_dir=str(run_dir))], batches=1)
    layout = layout_pb2.Layout.FromString(
        events().Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    )
    tags = [tag for chart in layout.category[0].chart for tag in chart.multiline.tag]
    assert "loss/reconstruction" in tags
    assert "codes/perplexity" in tags


RUN = {
    "ganvas": {
        "command": "ganvas train -m experiment=e seed=1,2 model.optimizer.lr=0.1,0.2",
        "overrides": ["experiment=e", "seed=2", "model.optimizer.lr=0.1", "model/quantizer=fsq"],
        "sweep": {"sweep": "somewhere", "job": 3},
    }
}


def test_the_columns_of_a_sweep_lead_with_what_it_varies() -> None:
    options = swept(RUN)
    assert options == {"seed": 2.0, "model.optimizer.lr": 0.1, "model/quantizer": "fsq"}
    assert swept({"ganvas": RUN["ganvas"] | {"sweep": None}}) == {}
    columns = led({"model.optimizer.lr": 0.1}, {"psnr": Result(24.0, None, None)}, options)
    assert sorted(columns) == [
        *("Final/psnr", "Option/model.optimizer.lr", "Option/model/quantizer", "Option/seed"),
        "model.optimizer.lr",
    ]


def test_a_run_of_a_sweep_says_what_it_varies(
    run_dir: Path, fit: Callable[..., Any], sampler: Callable[..., Any], events: Callable[[], Any]
) -> None:
    (run_dir / "run.yaml").write_text(yaml.safe_dump(RUN | {"config": CONFIG}))
    fit(sampler((1, 8, 8)), [Charts(run_dir=str(run_dir)), Metrics()], batches=5)
    metadata = events().summary_metadata
    assert "_hparams_/experiment" not in metadata
    start = plugin_data_pb2.HParamsPluginData.FromString(
        metadata["_hparams_/session_start_info"].plugin_data.content
    )
    assert start.session_start_info.hparams["Option/model/quantizer"].string_value == "fsq"


@pytest.mark.parametrize(
    ("recipe", "metric", "sign"),
    [(GAN, "evaluation/fid", "health/energy"), (VQVAE, "evaluation/psnr", "health/codes_used")],
)
def test_metrics_and_health_have_charts_where_they_are_curves(recipe: Any, metric: str, sign: str) -> None:
    groups = layout(recipe.reports, metrics=True, health=True)
    assert list(groups) == ["training", "metrics", "health"]
    assert [metric] in [tags for _, tags in groups["metrics"].values()]
    assert any(sign in tags for _, tags in groups["health"].values())
    assert list(layout(recipe.reports)) == ["training"]

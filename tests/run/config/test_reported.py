from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganvas.cli.compose.experiment import compose
from ganvas.cli.main import main
from ganvas.errors import OptionError
from ganvas.model.vqvae import VQVAE
from ganvas.run.config.reported import check_ranked, check_reported, reported_metrics

ALL = ["metric/samples=all", "metric/features=classifier"]


class OwnVQVAE(VQVAE):
    """A user's own recipe."""


def config(*words: str) -> dict:
    return compose(list(words)).config


@pytest.mark.parametrize("model", ["mlp_gan", "mlp_vqvae", "classifier"])
def test_a_run_reports_what_was_told_and_nothing_else(model: str, tmp_path: Path) -> None:
    words = [
        f"model={model}",
        f"paths.run_dir={tmp_path}/run",
        "trainer.max_examples=640",
        "logger=none",
        "trainer.log_every_examples=64",
        "trainer.val_every_examples=320",
        "data.batch_size=64",
        "callback.evaluation.num_samples=64",
        "callback=[evaluation,record,health]",
        "callback.health.every_examples=320",
    ]
    if model == "mlp_gan":
        words += ["model/gradient_penalty=wgan_gp", "model.conditional=true", "model/head=acgan"]
    assert main(["train", *words]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    seen = {name for row in rows for name in row} - {"examples", "batch"}
    told = config(*words)
    for name in seen:
        check_reported(told, name)
    metrics, complete = reported_metrics(told)
    assert complete
    assert {name[11:] for name in seen if name.startswith("evaluation/")} <= set(metrics)
    from ganvas.run.config.reported import _tags

    exact = {tag for tag in _tags(told) or () if tag[-1] != "/"} - {"non_finite/skipped"}
    assert exact <= seen, "what is told of a recipe is what it reports"
    if model != "classifier":
        row = json.loads((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()[0])
        assert {name: way for name, way in metrics.items() if way and name in row["metrics"]} == row["better"]


def test_directions() -> None:
    metrics, complete = reported_metrics(config("metric/samples=[fid,density_coverage,diversity]"))
    assert (metrics, complete) == (
        {"fid": "min", "density": "max", "coverage": "max", "diversity": None},
        True,
    )
    metrics, _ = reported_metrics(config("model=mlp_vqvae"))
    assert metrics["psnr"] == "max"
    assert metrics["rfid"] == "min"
    assert "lpips" not in metrics
    assert "lpips" in reported_metrics(config("model=mlp_vqvae", "metric/perceptual=lpips"))[0]
    assert reported_metrics(config("model=mlp_vqvae", "metric/perceptual=stoi"))[0]["stoi"] == "max"
    assert reported_metrics(config("callback=none")) == ({}, True)
    of_texts, _ = reported_metrics(config("model=autoregressive", "data=text_files", "data.root=."))
    assert of_texts["bits_per_byte"] == of_texts["bits_per_text"] == of_texts["bits_per_dim"] == "min"
    assert of_texts["code_bits_per_byte"] is None
    assert "bits_per_image" not in of_texts
    of_codes, _ = reported_metrics(config("model=autoregressive", "data=codes"))
    assert {of_codes[name] for name in ("bits_per_image", "bits_per_byte", "kilobits_per_second")} == {"min"}


@pytest.mark.parametrize(
    ("words", "metric", "line"),
    [
        (
            [],
            "evaluation/kid",
            r"evaluation/kid: no run of this config reports it; (did you mean .*)?there are: ",
        ),
        ([], "evaluation/fidd", "did you mean evaluation/fid?"),
        ([], "validation/psnr", "validation/real_accuracy"),
        (["model=mlp_vqvae"], "evaluation/fid", "evaluation/rfid"),
        (["callback=[evaluation]"], "loss/generator", "there are: evaluation/fid"),
        (["callback=none"], "evaluation/fid", "there are: none"),
        (["model=classifier"], "loss/generator", "loss/cross_entropy"),
        (["model/adversarial_loss=wasserstein"], "validation/real_accuracy", "validation/real_logits"),
        (["model/adversarial_loss=rpgan"], "accuracy/real", "accuracy/pairs"),
        (["model=vqgan", "model/adversarial_loss=rpgan"], "accuracy/fake", "accuracy/pairs"),
        ([], "loss/gradient_penalty", "loss/generator"),
        ([], "augment/p", "loss/generator"),
    ],
)
def test_an_unknown_scalar_is_refused_with_those_that_there_are(words: list, metric: str, line: str) -> None:
    with pytest.raises(OptionError, match=f"optimized_metric={metric}") as caught:
        check_reported(config(*words), metric)
    import re

    assert re.search(line.replace("?", r"\?") if line.startswith("did") else line, str(caught.value))


def test_a_sweep_is_ranked_by_what_one_of_its_jobs_reports() -> None:
    two = [
        config("optimized_metric=evaluation/fid"),
        config("model=mlp_vqvae", "optimized_metric=evaluation/fid"),
    ]
    check_ranked(two)
    check_ranked(reversed(two))
    check_ranked([config()])
    with pytest.raises(OptionError, match="optimized_metric=evaluation/fid"):
        check_ranked(two[1:])


def test_what_the_users_own_parts_report_is_believed() -> None:
    told = config()
    told["callback"]["mine"] = {"_target_": "my_module.Score"}
    check_reported(told, "my/score")
    check_reported(told, "evaluation/mine")
    told["callback"]["mine"] = {"_target_": "ganvas.callback.progress.Progress"}
    with pytest.raises(OptionError):
        check_reported(told, "my/score")
    told["model"] = {"_target_": "my_module.Recipe"}
    check_reported(told, "my/score")
    check_reported(told, "evaluation/kid")


def test_what_a_subclass_reports_is_not_told_by_its_base() -> None:
    told = config("model=mlp_vqvae", "callback=minimal")
    told["model"]["_target_"] = f"{__name__}.OwnVQVAE"
    check_reported(told, "loss/of_my_own")

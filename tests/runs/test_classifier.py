"""A classifier is trained once, found by the runs that it judges, and is itself judged by nothing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from refusal import SMOKE, refused
from run_files import only_run


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path_factory.mktemp("cache")))


STACKED = ["data=stacked_digits", "data.num_train=500", "data.num_val=100", "data.num_test=100"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["metric/features=classifier", "data=digits", "data.image_size=9"], "classifier"),
        (["metric/features=stacked_classifier", *STACKED], "stacked_classifier"),
    ],
    ids=["classifier", "stacked_classifier"],
)
def test_the_line_that_refuses_names_the_command_that_helps(
    words: list[str], name: str, ganvas, tmp_path: Path
) -> None:
    reason = "no classifier of these data is trained yet; ganvas train model=classifier data=digits"
    line = refused(ganvas, tmp_path, [*SMOKE, *words], "metric.features", f"={name}: ", reason)
    command = shlex.split(line.partition("; ganvas ")[2])
    short = ["callback=none", "logger=none", "trainer.max_examples=640", "accelerator=cpu"]
    assert "accuracy" in ganvas(*command, *short, "paths.output_dir=classifiers").stdout
    ganvas(*SMOKE, *words, "callback.evaluation.num_samples=50", "callback.evaluation.split=test")
    (row,) = (only_run(tmp_path) / "evaluations.jsonl").read_text().splitlines()
    about = json.loads(next(tmp_path.glob("classifiers/*/*/classifier/about.json")).read_text())
    features = json.loads(row)["protocol"]["features"]
    assert features["name"] == name
    assert features["accuracy"] == about["accuracy"]
    assert features["trained_on_sha256"] == about["train_sha256"]


def test_a_classifiers_run_is_refused_where_samples_are_asked_for(ganvas, tmp_path: Path) -> None:
    ganvas(*SMOKE, "model=classifier")
    status = json.loads((only_run(tmp_path) / "status.json").read_text())
    assert 0 <= status["metrics"]["accuracy"] <= 1
    for command in ("sample", "reconstruct", "evaluate"):
        refused(
            ganvas, tmp_path, [command, "latest"], "RUN", f"={only_run(tmp_path).relative_to(tmp_path)}: "
        )


# An extractor, and data that are not of its kind: what the line must hold.
UNFIT = {
    "toy": ([], "takes points of data=toy, and Digits has"),
    "efficientnet_lite0": (["data=toy"], "takes images of 1 or 3 channels, and Toy"),
    "inception": (["data=toy"], "takes images of 1 or 3 channels, and Toy"),
    "classifier": (["data=toy"], "takes images, and Toy has"),
    "stacked_classifier": ([], "stacked from grey images, and Digits are not"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_an_extractor_that_does_not_fit_the_data(name: str, ganvas, tmp_path: Path) -> None:
    data, reason = UNFIT[name]
    if name == "efficientnet_lite0":
        pytest.importorskip("efficientnet_lite_pytorch")
    small = ["data.num_train=256", "data.num_val=64", "data.num_test=64"] if data else []
    words = [*SMOKE, f"metric/features={name}", *data, *small]
    refused(ganvas, tmp_path, words, "metric.features", f"={name}: ", reason)


@pytest.mark.parametrize(
    ("words", "key", "reason"),
    [
        (["data=toy"], "data.channels", "a classifier takes images"),
        (
            ["data.num_classes=null"],
            "data.num_classes",
            "a classifier needs labels",
        ),
        (["data.image_size=4"], "data.image_size", "too small for the classifier"),
    ],
)
def test_data_that_no_classifier_can_be_made_of(
    words: list[str], key: str, reason: str, ganvas, tmp_path: Path
) -> None:
    value = "=4: " if "4" in words[0] else "=null: "
    refused(ganvas, tmp_path, [*SMOKE, "model=classifier", *words], key, value, reason)

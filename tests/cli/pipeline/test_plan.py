"""A pipeline before anything runs: which word goes where, what is refused; nothing is written."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.compose.describe import groups, pipelines
from ganvas.cli.pipeline.plan import plan_pipeline
from ganvas.cli.pipeline.run import secrets_again
from ganvas.errors import OptionError
from ganvas.pipeline.manifest import FILE, Pipeline
from ganvas.run.folder.lock import RunLock

_STAGES = """
stages:
  - name: tokenizer
    train: [model=mlp_vqvae, logger=none]
  - name: prior
    train: [model=autoregressive, data=codes, "data.tokenizer={tokenizer}", logger=none]
  - name: samples
    run: [sample, "{prior}", --num, "4", --out, "{folder}/samples.png"]
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``conf/pipeline/mine.yaml``, and ``p``, a pipeline of it of which nothing has run."""
    folder = tmp_path_factory.mktemp("planned")
    (folder / "conf/pipeline").mkdir(parents=True)
    (folder / "conf/pipeline/mine.yaml").write_text(_STAGES)
    made = plan_pipeline("mine", [f"paths.run_dir={folder}/p"], config_dir=str(folder / "conf"))
    assert made.later == ["prior: what rests on the trained run of tokenizer is told once that is there"]
    assert not (folder / "p").exists()
    made.pipeline.write()
    return folder


@pytest.fixture
def begun(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(planned, tmp_path, dirs_exist_ok=True)
    return Path("p")


@pytest.mark.parametrize("name", pipelines())
def test_every_packaged_pipeline_composes(name: str) -> None:
    pipeline = plan_pipeline(name, ["accelerator=cpu", "seed=3"]).pipeline
    trained = [stage for stage in pipeline.stages if stage.trains]
    assert [stage.config["seed"] for stage in trained] == [3] * len(trained)
    assert pipeline.folder.parent == Path("outputs") / name
    assert "_pipeline-" in pipeline.folder.name
    assert not pipeline.folder.exists()


def test_pipelines_are_no_options_of_an_experiment() -> None:
    assert "quickstart_prior" in pipelines()
    assert "pipeline" not in groups()
    assert "experiment" in groups()


def test_a_recipe_that_cannot_be_what_a_later_stage_needs_is_refused(begun: Path) -> None:
    with pytest.raises(OptionError) as caught:
        plan_pipeline("mine", ["tokenizer.model=mlp_gan"], config_dir="conf")
    assert str(caught.value).startswith("prior.data.tokenizer={tokenizer}: has no codes")
    with pytest.raises(OptionError, match="resume=latest: is no part of a pipeline"):
        plan_pipeline("mine", ["resume=latest"], config_dir="conf")
    with pytest.raises(OptionError, match=r"paths.run_dir=p: is there already; go on with ganvas resume"):
        plan_pipeline("mine", ["paths.run_dir=p"], config_dir="conf")


def test_a_secret_of_the_environment_reaches_its_stage_and_no_file(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("conf/callback").mkdir()
    text = "asks: {_target_: pytorch_lightning.Callback, api_token: '${oc.env:MY_TOKEN}'}"
    Path("conf/callback/asks.yaml").write_text(text)
    chosen = _STAGES.replace("mlp_vqvae,", "mlp_vqvae, callback=asks,")
    Path("conf/pipeline/mine.yaml").write_text(chosen)
    monkeypatch.setenv("MY_TOKEN", "abcdefghijk")
    monkeypatch.setattr("ganvas.cli.pipeline.plan.check_experiment", lambda composed, **_: composed.config)
    monkeypatch.setattr("ganvas.cli.pipeline.plan.rehearse", lambda *_, **__: None)  # nothing takes the token
    made = plan_pipeline("mine", ["paths.run_dir=q"], config_dir="conf")
    assert made.secrets == {0: {"callback.asks.api_token": "abcdefghijk"}}
    made.pipeline.write()
    assert "abcdefghijk" not in Path("q", FILE).read_text()
    arguments = Namespace(config_dir="conf", allow_places=False)
    assert secrets_again(Pipeline.read(Path("q")), arguments) == made.secrets


def test_a_dry_run_prints_commands_and_writes_nothing(
    begun: Path, ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = ganvas("pipeline", "mine", "seed=4", "--dry-run", "--config-dir", "conf")
    lines = done.stdout.splitlines()
    first = "1_tokenizer: ganvas train model=mlp_vqvae logger=none seed=4 paths.run_dir=outputs/mine/"
    assert lines[0].startswith(first)
    assert "/1_tokenizer " in lines[1]
    assert lines[2].startswith("3_samples: ganvas sample outputs/mine/")
    assert sorted(tmp_path.rglob("*")) == before
    assert "there are: mine, " in ganvas("pipeline", "--config-dir", "conf", code=2).stderr
    assert "did you mean mine?" in ganvas("pipeline", "mien", "--config-dir", "conf", code=2).stderr
    assert "--resume FOLDER" in ganvas("pipeline", "mine", "--allow-places", code=2).stderr


def test_under_a_launcher_it_is_refused(
    begun: Path, ganvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for words in (["pipeline", "mine", "--config-dir", "conf"], ["resume", "p"]):
        told = ganvas(*words, code=2).stderr
        assert told.startswith("ganvas pipeline=torchrun: every rank would run the whole pipeline")


def test_one_process_alone_goes_on(begun: Path, ganvas: Callable[..., Any]) -> None:
    with RunLock(begun):
        told = ganvas("resume", "p", code=2).stderr
    assert told.startswith("PIPELINE=p: is being written by process")
    assert "wait for its end" in told


def test_a_folder_that_is_none_or_damaged_is_refused(begun: Path, ganvas: Callable[..., Any]) -> None:
    assert "holds no pipeline.json" in ganvas("pipeline", "--resume", "conf", code=2).stderr
    assert "the pipeline trains in its stages 0, 1" in ganvas("job", "p", "2", code=2).stderr
    (begun / FILE).write_text("{")
    for words in (["resume", "p"], ["pipeline", "--resume", "p"], ["job", "p", "0"]):
        told = ganvas(*words, code=2).stderr
        assert told.startswith("PIPELINE=p: its pipeline.json cannot be read")
        assert told.count("\n") == 1


def test_a_foreign_pipeline_runs_no_other_commands(begun: Path, ganvas: Callable[..., Any]) -> None:
    value = json.loads((begun / FILE).read_text())
    value["stages"][2]["words"] = ["sample", "{prior}", "--out", "/tmp/stolen.png"]
    (begun / FILE).write_text(json.dumps(value))
    assert "a pipeline's files lie in its folder" in ganvas("resume", "p", code=2).stderr
    assert Pipeline.read(begun).stages[0].state == "waiting"


def test_what_has_begun_is_not_changed(begun: Path, ganvas: Callable[..., Any]) -> None:
    (begun / "1_tokenizer").mkdir()
    (begun / "1_tokenizer/run.yaml").touch()
    told = ganvas("resume", "p", "tokenizer.seed=3", code=2).stderr
    assert "tokenizer has begun; ganvas resume p/1_tokenizer seed=3" in told
    assert "no stage (prior) has such a key" in ganvas("resume", "p", "model.decay=0.5", code=2).stderr
    assert "is about a new pipeline" in ganvas("resume", "p", "name=x", code=2).stderr


def test_words_of_a_foreign_file_read_no_environment(
    begun: Path, ganvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "7")
    value = json.loads((begun / FILE).read_text())
    value["stages"][1]["words"].append("seed=${oc.env:MINE}")
    (begun / FILE).write_text(json.dumps(value))
    told = ganvas("resume", "p", "prior.trainer.max_examples=64", code=2).stderr
    assert "seed=${oc.env:MINE}: is a word of prior that no file may say again" in told

"""A pipeline from nothing to samples: its stages are those of plain commands, whatever stopped it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sweeps
from run_files import newest_checkpoint
from same_run import KEYS, assert_same, equal, rows

from ganvas.cli.pipeline.plan import plan_pipeline
from ganvas.pipeline.manifest import FILE, Pipeline

_QUICK = "accelerator=cpu, logger=none, callback=minimal, trainer.log_every_examples=128"
_PRIOR = "model=autoregressive, data=codes, 'data.tokenizer={tokenizer}', model.prior.width=16"
_STAGES = f"""
stages:
  - name: tokenizer
    train: [model=mlp_vqvae, model.num_embeddings=16, {_QUICK}, trainer.max_examples=512]
  - name: prior
    train: [{_PRIOR}, model.prior.depth=1, model.prior.heads=2, {_QUICK}, trainer.max_examples=512]
  - name: samples
    run: [sample, '{{prior}}', --num, '4', --out, '{{folder}}/samples.npz']
"""


@pytest.fixture
def mine(tmp_path: Path) -> tuple[str, ...]:
    """The words that begin a small pipeline."""
    (tmp_path / "conf/pipeline").mkdir(parents=True)
    (tmp_path / "conf/pipeline/mine.yaml").write_text(_STAGES)
    return ("pipeline", "mine", "--config-dir", "conf")


def states(folder: Path | str) -> list[tuple[str, int | None]]:
    return [(stage.state, stage.code) for stage in Pipeline.read(Path(folder)).stages]


def times(run: Path) -> dict[str, int]:
    """When what training writes was written last."""
    found = [path for path in run.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.name: path.stat().st_mtime_ns for path in found}


def test_a_failed_stage_is_mended_and_the_whole_is_what_plain_commands_make(
    mine: tuple[str, ...], ganvas: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))  # no classifier of another test's
    done = ganvas(*mine, "paths.run_dir=p", "prior.metric/features=classifier", code=2, fresh=True)
    assert "stage 2 of 3, prior: ganvas train model=autoregressive" in done.stdout
    assert done.stdout.endswith("go on with: ganvas resume p --config-dir conf\n")
    assert done.stderr.splitlines()[-2].startswith("metric.features=classifier: no classifier of")
    assert done.stderr.endswith("prior: failed with exit code 2\n")
    assert states("p") == [("finished", 0), ("failed", 2), ("waiting", None)]
    before = times(Path("p/1_tokenizer"))
    Path("p").rename("q")  # a pipeline is moved as a run is
    ganvas("resume", "q", "prior.metric/features=pixels", "prior.model.prior.mlp_ratio=2", fresh=True)
    assert states("q") == [("finished", 0)] * 3
    assert times(Path("q/1_tokenizer")) == before  # neither trained again nor evaluated
    assert np.load("q/samples.npz")["images"].shape == (4, 8, 8, 1)
    shown = sorted(path.name for path in Path("q").iterdir() if path.name[0] != ".")
    assert shown == ["1_tokenizer", "2_prior", FILE, "samples.npz"]

    pipeline = Pipeline.read(Path("q"))
    for stage in pipeline.stages[:2]:
        words = [word.replace("{tokenizer}", "alone/tokenizer") for word in stage.words]
        ganvas("train", *words, f"paths.run_dir=alone/{stage.name}")
        ours, plain = (
            newest_checkpoint(pipeline.run(stage).path),
            newest_checkpoint(Path("alone", stage.name)),
        )
        for key in KEYS:
            assert equal(ours[key], plain[key]), (stage.name, key)

    listed = json.loads(ganvas("runs", "ls", "--json", "q").stdout)
    assert [(row["run"], row["state"]) for row in listed] == [
        ("1_tokenizer", "finished"),
        ("2_prior", "finished"),
    ]
    assert "data.tokenizer={tokenizer}" in ganvas("runs", "show", "q/2_prior").stdout
    before = times(Path("q"))
    assert ganvas("resume", "q").stdout == "nothing is left to do: q\n"
    assert times(Path("q")) == before


_ELSEWHERE = {"x": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "/somewhere/else"}}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("model", {"_target_": "os.system", "command": "touch stolen"}, "model._target_=os.system"),
        ("logger", _ELSEWHERE, "logger.x.save_dir=/somewhere/else: lies outside of the run's folder"),
    ],
)
def test_a_foreign_pipeline_trains_nothing_foreign(
    key: str, value: Any, told: str, mine: tuple[str, ...], ganvas: Callable[..., Any]
) -> None:
    plan_pipeline(mine[1], ["paths.run_dir=p"], config_dir="conf").pipeline.write()
    content = json.loads(Path("p", FILE).read_text())
    content["stages"][0]["config"][key] = value
    Path("p", FILE).write_text(json.dumps(content))
    assert told in ganvas("resume", "p", code=2, fresh=True).stderr
    assert not Path("stolen").exists()
    assert not Path("p/1_tokenizer/run.yaml").exists()
    assert states("p")[0] == ("failed", 2)


# Long enough to be killed in, with a checkpoint often.
_LONGER = ("trainer.max_examples=19200", "callback.checkpoint.every_examples=1280")
_TOKENIZER, _PRIOR_RUN = "1_tokenizer/checkpoints/*.ckpt", "2_prior/checkpoints/*.ckpt"
# What is waited for (a file that was not there when the process before was stopped), and the signal then.
_STOPS = (
    ("pipeline.json", signal.SIGKILL),
    (_TOKENIZER, signal.SIGKILL),
    (_TOKENIZER, signal.SIGINT),
    ("2_prior/run.yaml", signal.SIGKILL),
    (_PRIOR_RUN, signal.SIGTERM),
    (_PRIOR_RUN, signal.SIGKILL),
    ("samples.npz", signal.SIGKILL),
)


@pytest.mark.slow
@pytest.mark.real_processes
def test_a_stopped_pipeline_goes_on_at_its_stage_to_the_bit(
    mine: tuple[str, ...], ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "p"
    words = (*mine, *_LONGER, "paths.run_dir=p")
    tokenizer: dict[str, int] = {}
    for moment, number in _STOPS:
        seen = set(folder.glob(moment))
        process = sweeps.start(*words, where=tmp_path)
        new = lambda pattern=moment, old=seen: set(folder.glob(pattern)) - old  # noqa: E731
        sweeps.wait_for(lambda p=process, is_new=new: p.poll() is not None or is_new(), moment)
        process.send_signal(number)
        output, _ = process.communicate(timeout=sweeps.PATIENCE)
        if process.returncode == 0:  # it was done before the signal came
            continue
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), output
        if number != signal.SIGKILL:
            assert output.splitlines()[-1].startswith("go on with: ganvas resume p"), output
            assert sweeps.processes_of(folder) == []
        words = ("resume", "p")  # while what was orphaned may still be saving
        if moment == _PRIOR_RUN:
            assert tokenizer in ({}, times(folder / "1_tokenizer"))
            tokenizer = times(folder / "1_tokenizer")
    last = sweeps.start("resume", "p", where=tmp_path)
    output, _ = last.communicate(timeout=sweeps.PATIENCE)
    assert last.returncode == 0, output
    assert states(folder)[1:] == [("finished", 0)] * 2
    assert tokenizer in ({}, times(folder / "1_tokenizer"))  # empty where the prior was done too soon
    ganvas(*mine, *_LONGER, "paths.run_dir=whole", fresh=True)
    assert_same(folder / "1_tokenizer", tmp_path / "whole/1_tokenizer")
    ours, theirs = folder / "2_prior", tmp_path / "whole/2_prior"
    for key in KEYS:
        assert equal(newest_checkpoint(ours)[key], newest_checkpoint(theirs)[key]), key
    assert rows(ours / "metrics.jsonl") == rows(theirs / "metrics.jsonl")
    images = [np.load(path / "samples.npz")["images"] for path in (folder, tmp_path / "whole")]
    assert np.array_equal(*images)
    sweeps.wait_for(lambda: not sweeps.processes_of(folder), "the end of every stage's process")

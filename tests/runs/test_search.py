"""Searches through the command line: killed and gone on with, pruned, shared, on two ranks."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pytest
import sweeps

from ganvas.cli.compose.experiment import compose
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.tree import config_key

pytest.importorskip("optuna")
pytestmark = pytest.mark.slow

_SCORE = '''
"""A metric that is known: the latent's length, a tenth of the seed, and an offset."""
import json
import time

from ganvas.callback.record import record
from ganvas.callback.run_state import RunCallback


class Score(RunCallback):
    def __init__(self, run_dir: str, value: float, seed: int, offset: float, slow_from: float):
        self.run_dir, self.score = run_dir, value + seed / 10 + offset
        self.pause = 0.1 if value >= slow_from else 0.0

    def on_train_batch_end(self, trainer, pl_module, *_):
        time.sleep(self.pause)
        late = 1.0 if pl_module.examples_seen <= 64 else 0.0  # the best is not the first, and not the last
        if pl_module.examples_seen <= 128 or self.pause:
            record(trainer, pl_module, self.run_dir, {"mine/score": self.score + late}, self.state)
        else:
            record(trainer, pl_module, self.run_dir, {"mine/score": self.score + 7}, self.state)

    def on_train_end(self, trainer, pl_module):
        told = {"latent": pl_module.latent_dim, "lr": trainer.optimizers[0].param_groups[0]["lr"]}
        with open(f"{self.run_dir}/rank{trainer.global_rank}.json", "w") as file:
            json.dump(told, file)
'''
_YAML = """
score:
  _target_: score.Score
  run_dir: ${paths.run_dir}
  value: ${model.latent_dim}
  seed: ${seed}
  offset: OFFSET
  slow_from: 1000
"""
SEARCH = (
    "train",
    "-m",
    "hydra/sweeper=optuna",
    "--config-dir",
    "conf",
    "callback=[checkpoint,record,score]",
    "logger=none",
    "trainer=smoke",
    "trainer.max_examples=192",
    "data.batch_size=64",
    "trainer.log_every_examples=64",
    "optimized_metric=mine/score",
    "optimized_mode=min",
)


def write_parts(folder: Path, *, offset: float = 1.0) -> None:
    (folder / "conf" / "callback").mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "score.py").write_text(_SCORE)
    (folder / "conf" / "callback" / "score.yaml").write_text(_YAML.replace("OFFSET", str(offset)))


def trials(sweep: Path) -> list[dict[str, str]]:
    with (sweep / "search" / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_killed_search_goes_on_with_the_config_it_had(ganvas, tmp_path: Path) -> None:
    write_parts(tmp_path)
    words = (*SEARCH, "model.latent_dim=8,4", "hydra.sweeper.sampler=grid", "sweep.repeats=2")
    process = sweeps.start(*words, where=tmp_path)
    sweep = sweeps.wait_for(lambda: sweeps.the_sweep(tmp_path), "sweep.json")
    sweeps.wait_for(lambda: sweeps.record(sweep, 1), "the first trial's second repeat")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=sweeps.PATIENCE)
    write_parts(tmp_path, offset=100.0)  # an edit that no trial of this search may see
    done = ganvas("sweep", "resume", "latest", "--config-dir", "conf")
    told = trials(sweep)
    assert [(row["state"], row["model.latent_dim"], row["repeats"]) for row in told] == [
        ("complete", "8", "2"),
        ("complete", "4", "2"),
    ]
    # The best of 1 more, the score and 7 more; the mean of seeds 1 and 2.
    assert [float(row["mine/score"]) for row in told] == pytest.approx([8 + 0.15 + 1, 4 + 0.15 + 1])
    for index in range(4):
        codes = [one.get("code") for one in sweeps.record(sweep, index)["attempts"]]
        assert codes.count(0) == 1, "each job is finished once"
        assert len(codes) <= 2
    assert len(list(sweep.glob("[0-9]*_*/run.yaml"))) == 4
    assert "best trial: 1 (model.latent_dim=4), mine/score 5.15" in done.stdout
    again = ganvas("sweep", "resume", "latest", "--config-dir", "conf")
    assert "2 complete" in again.stdout
    assert len(list(sweep.glob("[0-9]*_*/run.yaml"))) == 4, "a search that is over runs nothing more"

    done = ganvas("sweep", "best", "latest", "--save", "conf/experiment/mine.yaml", "--config-dir", "conf")
    assert "ganvas train experiment=mine --config-dir conf" in done.stdout
    manifest = Manifest.read(sweep)
    job = next(job for job in manifest.jobs if (job.variant, job.repeat) == (1, 0))
    wanted = manifest.config_of(job)
    made = compose(
        ["experiment=mine", f"paths.run_dir='{wanted['paths']['run_dir']}'"], config_dir="conf"
    ).config
    del wanted["sweep"], made["sweep"]
    assert made["callback"] == wanted["callback"]
    assert config_key(made) == config_key(wanted)
    text = (tmp_path / "conf" / "experiment" / "mine.yaml").read_text()
    assert "# Result: mine/score 5.15, the mean of 2 seeds" in text
    assert "latent_dim: 4" in text
    assert "offset: 1.0" in text, "the YAML of now says another"
    again = ganvas("sweep", "best", "--save", "conf/experiment/mine.yaml", "--config-dir", "conf", code=2)
    assert again.stderr.startswith("--save=conf/experiment/mine.yaml: is there already")


def test_a_worse_trial_is_pruned_and_a_bad_one_fails(ganvas, tmp_path: Path) -> None:
    write_parts(tmp_path)
    words = (
        "model.latent_dim=4,0,8",
        "hydra.sweeper.sampler=grid",
        "hydra.sweeper.pruner=median",
        "hydra.sweeper.pruner_startup_trials=1",
        "trainer.max_examples=64000",
        "trainer.limit_train_batches=3",
        "callback.score.slow_from=8",
    )
    done = ganvas(*SEARCH, *words, "trainer.max_epochs=200", code=1)
    sweep = sweeps.the_sweep(tmp_path)
    assert sweep is not None
    told = trials(sweep)
    assert [row["state"] for row in told] == ["complete", "fail", "pruned"]
    assert "model.latent_dim=0: must be at least 1" in told[1]["error"]
    assert "trial 1 failed: job 1: model.latent_dim=0" in done.stdout
    status = json.loads((sweeps.run_dir(sweep, 2) / "status.json").read_text())
    assert status["state"] == "interrupted"
    assert status["examples_seen"] < 200 * 3 * 64 / 2
    assert "1 pruned" in ganvas("sweep", "status").stdout
    assert (sweep / "search" / "history.png").exists()
    ganvas("sweep", "retry", "latest", "--config-dir", "conf", code=1)
    assert [len(sweeps.record(sweep, index)["attempts"]) for index in range(3)] == [1, 2, 1]
    assert [row["state"] for row in trials(sweep)] == ["complete", "pruned", "fail"], "as trial 3"


def test_two_machines_share_one_study(tmp_path: Path) -> None:
    write_parts(tmp_path)
    words = (
        *SEARCH,
        "model.latent_dim=int(interval(2,40))",
        "hydra.sweeper.storage=sqlite:///study.db",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.sampler=random",
    )
    machines = [
        sweeps.start(*words, f"paths.output_dir=machine{number}", where=tmp_path) for number in (1, 2)
    ]
    for process in machines:
        output, _ = process.communicate(timeout=sweeps.PATIENCE)
        assert process.returncode == 0, output
    found = [Manifest.read(path.parent) for path in tmp_path.glob("machine*/*/*/sweep.json")]
    assert len(found) == 2
    assert sorted(job.variant for one in found for job in one.jobs) == [0, 1, 2, 3]
    tables = [trials(one.folder) for one in found]
    last = max(tables, key=lambda table: sum(row["state"] == "complete" for row in table))
    assert [row["state"] for row in last] == ["complete"] * 4


def test_two_ranks_train_one_trial(ganvas, tmp_path: Path) -> None:
    """Under other sweepers each rank asks for values of its own (traps.md)."""
    write_parts(tmp_path)
    words = (
        "model.latent_dim=int(interval(2,400))",
        "hydra.sweeper.n_trials=1",
        "hydra.sweeper.sampler=random",
        "accelerator=ddp_cpu",
        "model.generator_optimizer.lr=tag(log,interval(1e-5,1e-2))",
    )
    ganvas(*SEARCH, *words, fresh=True)
    sweep = sweeps.the_sweep(tmp_path)
    assert sweep is not None
    run = sweeps.run_dir(sweep, 0)
    ranks = [json.loads(path.read_text()) for path in sorted(run.glob("rank*.json"))]
    (row,) = trials(sweep)
    assert len(ranks) == 2
    assert (
        ranks[0]
        == ranks[1]
        == {"latent": int(row["model.latent_dim"]), "lr": float(row["model.generator_optimizer.lr"])}
    )
    assert len(list(tmp_path.glob("outputs/**/run.yaml"))) == 1

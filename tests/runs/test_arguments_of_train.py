"""What ``ganvas train`` takes, a sweep's job, a rank and a resumed run take too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganvas.cli.compose.hydra_internals import command_line_flags
from ganvas.cli.train import train_parser

SMOKE = ("trainer=smoke", "callback=minimal", "logger=none", "callback.evaluation.num_samples=64")
# Every flag, and where this file shows what becomes of it. Flags of Hydra's that print train nothing.
TAKEN = {
    "-m --multirun": "WAYS",
    "-cd --config-dir": "conf/model/adversarial_loss/inside.yaml",
    "-cn --config-name": "conf/mine.yaml",
    "--allow-imports": "outside.py",
    "--allow-places": "tests/cli/test_confined.py",  # of a RUN that is gone on with
    "--debug": "test_tracebacks_are_shown_by_whoever_works",
}
REFUSED_BESIDE_TRAINING = (
    "-h --help --hydra-help --version -c --cfg --resolve -p --package -r --run -sc --shell-completion -i "
    "--info -cp --config-path --experimental-rerun"
).split()
_LOSS = """
from ganvas.model.adversarial_loss.hinge import Hinge


class Mine(Hinge):
    pass
"""


def test_no_argument_of_train_is_missing_here() -> None:
    own = {flag for action in train_parser()._actions for flag in action.option_strings}
    shown = {flag for flags in TAKEN for flag in flags.split()}
    assert own <= shown
    assert own | command_line_flags() == (shown | set(REFUSED_BESIDE_TRAINING)) - {"--debug"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A config, a group option and two modules of the user's; the words that choose them all."""
    group = tmp_path / "conf" / "model" / "adversarial_loss"
    group.mkdir(parents=True)
    (group / "inside.py").write_text(_LOSS)
    (group / "inside.yaml").write_text("_target_: inside.Mine\n")
    (tmp_path / "conf" / "mine.yaml").write_text("defaults: [train, _self_]\nname: of_mine\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "outside.py").write_text(
        "from pytorch_lightning import Callback\n\n\nclass Quiet(Callback):\n    pass\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    chosen = ("model/adversarial_loss=inside", "++callback.outside._target_=outside.Quiet")
    return ["--config-dir", "conf", "--config-name", "mine", *chosen, *SMOKE]


WAYS = {
    "single": [],
    "rank": ["accelerator=ddp_cpu"],
    "job": ["-m", "seed=4,5"],
    "rank of a job": ["-m", "seed=4", "accelerator=ddp_cpu"],
    "job of a search": [
        *("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "optimized_metric=evaluation/fid"),
        "model.generator_optimizer.lr=interval(1e-4,1e-3)",
    ],
}


def _finished(where: Path) -> list[dict[str, Any]]:
    """The configs of all runs; each has finished."""
    runs = [path.parent for path in where.rglob("run.yaml")]
    assert {json.loads((run / "status.json").read_text())["state"] for run in runs} == {"finished"}
    return [yaml.safe_load((run / "run.yaml").read_text())["config"] for run in runs]


@pytest.mark.slow
@pytest.mark.parametrize(
    "given", [["allow_imports=[outside]"], ["--allow-imports", "outside"]], ids=["key", "flag"]
)
@pytest.mark.parametrize("way", WAYS)
def test_config_dir_config_name_and_allowed_modules(
    way: str, given: list[str], project: list[str], ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    ganvas("train", *project, *given, *WAYS[way], fresh=True)
    configs = _finished(tmp_path)
    assert len(configs) == (2 if way == "job" else 1)
    for config in configs:
        assert config["name"] == "of_mine"
        assert config["model"]["adversarial_loss"]["_target_"] == "inside.Mine"
        assert config["callback"]["outside"]["_target_"] == "outside.Quiet"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["single", "rank", "job"])
def test_a_run_that_is_gone_on_with_takes_them_again(
    way: str, project: list[str], ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    """What a folder says counts for nothing; the printed command names all that it needs."""
    code = ["--config-dir", "conf", "--allow-imports", "outside"]
    ganvas("train", *project, "--allow-imports", "outside", *WAYS[way], fresh=True)
    if way == "job":
        for path in tmp_path.rglob("jobs/*.json"):
            path.unlink()
        sweep = next(tmp_path.rglob("sweep.json")).parent
        for run in tmp_path.rglob("status.json"):
            status = json.loads(run.read_text())
            run.write_text(json.dumps(status | {"state": "interrupted"}))
        refused = ganvas("sweep", "resume", "latest", *code[:2], fresh=True, code=1)
        assert "outside the allow-list" in (sweep / "jobs" / "000.log").read_text()
        again = f"ganvas sweep retry {sweep.relative_to(tmp_path)} --config-dir conf"
        assert f"begin them again with: {again}\n" in refused.stdout
        ganvas("sweep", "retry", "latest", *code, fresh=True)
    else:
        more = ["trainer.max_examples=1280"]
        refused = ganvas("resume", "latest", *more, fresh=True, code=2)
        assert "outside the allow-list" in refused.stderr
        ganvas("resume", "latest", *code, *more, fresh=True)
        words = ["resume=latest", "allow_imports=[outside]", "trainer.max_examples=1920"]
        ganvas("train", *code[:2], *words, "paths.output_dir=outputs", fresh=True)
        (status,) = tmp_path.rglob("status.json")
        assert json.loads(status.read_text())["examples_seen"] == 1920
    _finished(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["single", "rank", "job"])
def test_tracebacks_are_shown_by_whoever_works(way: str, ganvas: Callable[..., Any], tmp_path: Path) -> None:
    done = ganvas("train", *SMOKE, "model.latent_dim=-1", "--debug", *WAYS[way], fresh=True, code=None)
    logs = [path.read_text() for path in tmp_path.rglob("jobs/*.log")]
    for text in logs or [done.stderr]:
        assert "Traceback" in text
        assert "in __init__" in text, "the line that refuses"

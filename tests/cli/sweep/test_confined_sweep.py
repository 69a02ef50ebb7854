"""A SWEEP of somebody else's: what its jobs, its study and its commands may name and write."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audited import audited
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

from ganvas.cli.compose.experiment import compose
from ganvas.cli.compose.session import without_environment
from ganvas.cli.main import main
from ganvas.cli.sweep.best_experiment import save_experiment
from ganvas.errors import OptionError
from ganvas.sweep.manifest import Draft, Manifest, new_about
from ganvas.sweep.tree import RUN_DIR

FEW = ["model=mlp_gan", "trainer.max_examples=64", "callback=none", "logger=none"]


def written(folder: Path, about: dict[str, Any] | None = None, **sections: Any) -> str:
    """A sweep of one job, whose config has other sections; its folder."""
    made = compose([*FEW, f"paths.run_dir='{RUN_DIR}'"])
    config = made.config | sections
    sweep = Manifest(folder, new_about(FEW, FEW, {"config_name": "train"}) | (about or {}))
    sweep.add([Draft(config, made.choices, made.origins, [], "x", 0)])
    sweep.write()
    return str(folder)


def images(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(16):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def of_images(root: Path, **more: Any) -> dict[str, Any]:
    shape = {"channels": 1, "image_size": 8, "batch_size": 8, "num_workers": 0, "seed": 1}
    return {"_target_": "ganvas.data.image_folder.ImageFolder", "root": str(root), **shape, **more}


def test_a_jobs_caches_are_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    root, made = images(tmp_path / "victim" / "own"), tmp_path / "victim" / "made"
    sweep = written(tmp_path / "sweep", data=of_images(root, cache_dir=str(made)))
    with audited() as audit:
        assert main(["job", sweep, "0"]) == 0, capsys.readouterr()
    assert audit.beyond(tmp_path / "sweep", tmp_path / "cache") == []
    assert (audit.started, audit.connected) == ([], [])
    mine = written(tmp_path / "mine", data=of_images(root, cache_dir=str(made)))
    assert main(["job", mine, "0", "--allow-places"]) == 0
    assert list(made.glob("*.npy"))


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (
            {
                "logger": {
                    "x": {
                        "_target_": "pytorch_lightning.loggers.MLFlowLogger",
                        "tracking_uri": "http://127.0.0.1:9",
                    }
                }
            },
            "logger.x.tracking_uri=http://127.0.0.1:9: is an address",
        ),
        (
            {"logger": {"x": {"_target_": "pytorch_lightning.loggers.WandbLogger", "project": "theirs"}}},
            "logger.x._target_=pytorch_lightning.loggers.WandbLogger: logs to a service",
        ),
        ({"extra": {"y": "${oc.env:PRIVATE_WORD}"}}, "extra.y=${oc.env:PRIVATE_WORD}: is an interpolation"),
    ],
)
def test_what_a_job_is_refused(
    sections: dict[str, Any],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By ``ganvas job``, and before it is saved as an experiment that the user would then train."""
    monkeypatch.setenv("PRIVATE_WORD", "xyzzy-1234")
    sweep = written(tmp_path / "sweep", **sections)
    for words in (["job", sweep, "0"], ["sweep", "status", sweep], ["sweep", "best", sweep]):
        with audited() as audit:
            code = main(words)
        said = capsys.readouterr()
        assert code == (0 if "status" in words else 2)
        assert "xyzzy" not in said.out + said.err
        assert audit.beyond(tmp_path / "sweep") == []
        assert (audit.started, audit.connected) == ([], [])
        if words[0] == "job":
            assert said.err.startswith(says)
    found = Manifest.read(Path(sweep))
    with pytest.raises(OptionError) as refused:
        save_experiment(tmp_path / "experiment" / "x.yaml", found, found.jobs[0], result="", config_dir=None)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize("name", ["results.csv", "sweep.json", "jobs/000.json", "search/trials.csv", "jobs"])
def test_a_link_out_of_a_sweep(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = written(tmp_path / "sweep")
    victim = tmp_path / "victim"
    place = Path(sweep, name)
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        place.rename(victim)
    else:
        victim.touch()
    place.symlink_to(victim)
    assert main(["sweep", "status", sweep]) == 2
    assert f"SWEEP={sweep}/{name}: is a link out of the sweep's folder" in capsys.readouterr().err


def searching(storage: str | None) -> dict[str, Any]:
    pytest.importorskip("optuna")
    from ganvas.sweep.search.search_spec import Objective, SearchSpec
    from ganvas.sweep.search.settings import Settings
    from ganvas.sweep.search.space import Dimension

    spec = SearchSpec(
        settings=Settings(storage=storage),
        dimensions=[Dimension("model.latent_dim", "int", low=2, high=8)],
        objectives=[Objective("evaluation/fid", "min")],
        overrides=list(FEW),
        seed=1,
        repeats=1,
        every_examples=1,
        max_examples=64,
        study="s",
        experiment="x",
        owner="me",
    )
    return {"search": asdict(spec)}


@pytest.mark.parametrize("kind", ["sqlite:///{}/x.db", "{}/x.log", "postgresql://me:hunter22@127.0.0.1:9/x"])
@pytest.mark.parametrize("verb", ["best", "resume"])
def test_a_study_that_lies_elsewhere(
    verb: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = kind.format(tmp_path / "victim")
    (tmp_path / "victim").mkdir()
    sweep = written(tmp_path / "sweep", searching(storage))
    with audited() as audit:
        assert main(["sweep", verb, sweep]) == 2
    said = capsys.readouterr().err
    assert said.startswith("hydra.sweeper.storage=")
    assert "lies outside of the sweep's folder; --allow-places allows it" in said
    assert "hunter22" not in said
    assert (audit.connected, list((tmp_path / "victim").iterdir())) == ([], [])
    if "postgresql" not in kind and verb == "best":
        assert main(["sweep", "best", sweep, "--allow-places"]) == 2
        assert "is not there; ganvas sweep resume begins the study" in capsys.readouterr().err


def test_the_environment_of_another_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_WORD", "xyzzy")
    monkeypatch.setenv("GANVAS_DATA", "/data")
    node = {"a": "${oc.env:PRIVATE_WORD,x}", "b": "${oc.env:GANVAS_DATA,./data}"}
    with without_environment():
        config = OmegaConf.create(node)
        assert config.b == "/data"
        with pytest.raises(OmegaConfBaseException, match="PRIVATE_WORD is not given to a stored sweep"):
            print(config.a)
    assert OmegaConf.create(node).a == "xyzzy"

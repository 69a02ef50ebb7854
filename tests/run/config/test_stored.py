from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import OptionError
from ganvas.run.config.places import check_training
from ganvas.run.config.stored import read_stored
from ganvas.run.folder.run_folder import RunFolder, create


def config() -> dict[str, Any]:
    return {
        "paths": {"run_dir": "outputs/a"},
        "data": {"_target_": "ganvas.data.digits.Digits"},
        "model": {"_target_": "ganvas.model.gan.GAN"},
        "trainer": {},
        "accelerator": {},
        "logger": {},
        "callback": None,
    }


def made(folder: Path, values: dict[str, Any]) -> RunFolder:
    return create(folder / "run", {"ganvas": {}, "config": values})


def test_a_sound_run_is_read(tmp_path: Path) -> None:
    run = made(tmp_path, config())
    assert read_stored(run, trains=True)["config"] == config()
    assert read_stored(run)["config"] == config() | {"callback": {}}


@pytest.mark.parametrize("section", ["paths", "data", "model", "trainer", "accelerator"])
@pytest.mark.parametrize("value", [None, [1], "x"])
def test_a_missing_section_is_named(section: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"has no section {section}"):
        read_stored(made(tmp_path, config() | {section: value}))


@pytest.mark.parametrize("section", ["logger", "callback"])
@pytest.mark.parametrize("value", ["x", [{"_target_": None}], {"a": "x"}])
def test_sections_of_another_shape(section: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"section {section}"):
        read_stored(made(tmp_path, config() | {section: value}))


def test_the_runs_own_word_allows_nothing(tmp_path: Path) -> None:
    values = config() | {"allow_imports": ["mine"], "model": {"_target_": "mine.Model"}}
    run = made(tmp_path, values)
    with pytest.raises(OptionError, match="allow-list"):
        read_stored(run)
    assert read_stored(run, ["mine"])["config"]["model"] == {"_target_": "mine.Model"}


def places(values: dict[str, Any], folder: Path, *written: str) -> None:
    check_training(values, folder, written)


def test_places_inside_the_run_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logger = {"save_dir": "run", "name": "", "version": "csv", "sub_dir": None}
    places({"logger": {"x": logger}, "callback": {"y": {"run_dir": str(tmp_path / "run")}}}, Path("run"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run_dir", "elsewhere"),
        ("save_dir", "/tmp"),
        ("dirpath", "run/../elsewhere"),
        ("version", "../x"),
        ("name", "/etc/x"),
        ("filename", "~/x"),
        ("save_dir", "file:///etc"),
        ("dirpath", "s3://bucket"),
        ("tracking_uri", "http://evil:5000"),
        ("tracking_uri", "file:/etc"),
        ("url", "https://host/a/b"),
    ],
)
def test_places_outside_are_refused_unless_they_are_given_again(
    key: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = {"logger": {"x": {key: value}}}
    with pytest.raises(OptionError, match=f"^logger.x.{key}=.*give logger.x.{key}="):
        places(values, Path("run"))
    places(values, Path("run"), f"logger.x.{key}")


def test_weights_of_a_feature_extractor_are_only_read(tmp_path: Path) -> None:
    places({"callback": {"e": {"features": {"weights": "/data/weights.pt"}}}}, tmp_path)


def test_links_and_pipes(tmp_path: Path) -> None:
    run = made(tmp_path, config())
    (run.path / "inner").symlink_to("status.json")
    read_stored(run)
    (tmp_path / "linked").symlink_to(run.path)  # the run itself may be reached by a link
    read_stored(RunFolder(tmp_path / "linked"))
    (tmp_path / "victim").touch()
    (run.path / "samples" / "x.png").symlink_to("../../victim")
    with pytest.raises(OptionError, match=r"x.png: is a link out of"):
        read_stored(run)
    (run.path / "samples" / "x.png").unlink()
    os.mkfifo(run.path / "checkpoints" / "1.ckpt")
    with pytest.raises(OptionError, match=r"1.ckpt: is neither a file"):
        read_stored(run)


def test_relative_data_are_those_of_the_folder_that_was_trained_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, here = tmp_path / "trained", tmp_path / "here"
    (trained / "images").mkdir(parents=True)
    here.mkdir()
    values = config()
    values["data"] |= {"root": "images", "crop": "images"}
    run = create(tmp_path / "run", {"ganvas": {"cwd": str(trained)}, "config": values})
    monkeypatch.chdir(here)
    there = values["data"] | {"root": str(trained / "images")}
    assert read_stored(run)["config"]["data"] == there
    (here / "images").mkdir()  # the project was copied with its images
    assert read_stored(run)["config"]["data"] == values["data"]
    monkeypatch.chdir(trained)
    assert read_stored(run)["config"]["data"] == values["data"]


@pytest.mark.parametrize("cwd", [None, 3, "", "images", ["a"]])
def test_a_run_that_does_not_say_where_it_was_trained(cwd: Any, tmp_path: Path) -> None:
    values = config()
    values["data"] |= {"root": "nowhere"}
    run = create(tmp_path / "run", {"ganvas": {"cwd": cwd}, "config": values})
    assert read_stored(run)["config"]["data"]["root"] == "nowhere"

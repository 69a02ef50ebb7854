"""pipeline.json: written whole, read as data that may come from anyone, and moved with its folder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.pipeline.commands import check_commands
from ganvas.errors import OptionError
from ganvas.pipeline.definition import Stage, place
from ganvas.pipeline.manifest import FILE, Pipeline, is_pipeline


def sections(**data: Any) -> dict[str, Any]:
    own = {"run_dir": "<run>", "output_dir": "./outputs"}
    return {"paths": own, "data": data, "model": {}, "trainer": {}, "accelerator": {}}


def made(folder: Path) -> Pipeline:
    callback = {"dir": "<run>/x", "api_key": "hidden"}
    stages = [
        Stage(0, "a", ["model=m"], True, config=sections() | {"callback": {"c": callback}}),
        Stage(1, "b", ["data.tokenizer={a}"], True, config=sections(tokenizer=place("a"))),
        Stage(2, "c", ["sample", "{b}", "--out", "{folder}/x.png"], False),
    ]
    pipeline = Pipeline(folder, {"pipeline": "p", "overrides": ["x.api_key=hidden"]}, stages)
    pipeline.write()
    return pipeline


def test_what_is_written_is_read_where_it_lies_now(tmp_path: Path) -> None:
    made(tmp_path / "old").note(Stage(0, "a", [], True), "running")
    (tmp_path / "old").rename(tmp_path / "new")
    read = Pipeline.read(tmp_path / "new")
    a, b, c = read.stages
    assert read.config_of(a)["callback"]["c"]["dir"] == f"{tmp_path}/new/1_a/x"
    assert read.config_of(b)["data"]["tokenizer"] == f"{tmp_path}/new/1_a"
    assert read.config_of(b)["paths"]["run_dir"] == f"{tmp_path}/new/2_b"
    assert read.words_of(c) == ["sample", f"{tmp_path}/new/2_b", "--out", f"{tmp_path}/new/x.png"]
    assert read.hides_secrets()
    assert "hidden" not in (tmp_path / "new" / FILE).read_text()
    assert is_pipeline(tmp_path / "new")
    assert not is_pipeline(tmp_path)


def test_a_run_knows_first_that_it_is_finished(tmp_path: Path) -> None:
    pipeline = made(tmp_path)
    a, b, c = pipeline.stages
    pipeline.note(a, "running")
    assert Pipeline.read(tmp_path).stages[0].state == "running"
    assert [pipeline.is_finished(stage) for stage in (a, b, c)] == [False] * 3
    pipeline.run(a).path.mkdir()
    pipeline.run(a).write_status(state="finished")  # and the process was killed before it noted so
    pipeline.note(c, "finished", 0)
    read = Pipeline.read(tmp_path)
    assert [read.is_finished(stage) for stage in read.stages] == [True, False, True]
    assert (read.stages[2].code, read.stages[1].code) == (0, None)


DAMAGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "version": (lambda value: value.update(version=2), "is of version 2"),
    "no stages": (lambda value: value.pop("stages"), "it has no stages"),
    "stages of text": (lambda value: value.update(stages=["a"]), "its stages is of another kind"),
    "a state": (lambda value: value["stages"][0].update(state="done"), "its stages is of another kind"),
    "a code": (lambda value: value["stages"][0].update(code="0"), "its stages is of another kind"),
    "words": (lambda value: value["stages"][0].update(words="a"), "its stages is of another kind"),
    "a name": (lambda value: value["stages"][0].update(name="../../x"), "is no name of a stage"),
    "an order": (lambda value: value["stages"].reverse(), "rests on {b}, which comes no earlier"),
    "no config": (lambda value: value["stages"][0]["config"].pop("model"), "has no section model"),
    "about": (lambda value: value["about"].update(overrides=3), "its overrides is of another kind"),
    "empty": (lambda value: value.update(stages=[]), "no stage trains anything"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_damaged_is_refused(case: str, tmp_path: Path) -> None:
    made(tmp_path)
    value = json.loads((tmp_path / FILE).read_text())
    damage, told = DAMAGED[case]
    damage(value)
    (tmp_path / FILE).write_text(json.dumps(value))
    with pytest.raises(OptionError) as caught:
        Pipeline.read(tmp_path)
    assert caught.value.option == "PIPELINE"
    assert told in caught.value.reason


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(OptionError, match="PIPELINE="):
        Pipeline.read(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "p")
    (tmp_path / "elsewhere.json").write_text((tmp_path / "p" / FILE).read_text())
    (tmp_path / "p" / FILE).unlink()
    (tmp_path / "p" / FILE).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(OptionError, match="is a link out of the pipeline's folder"):
        Pipeline.read(tmp_path / "p")


def test_a_foreign_run_dir_is_not_taken(tmp_path: Path) -> None:
    pipeline = made(tmp_path)
    pipeline.stages[0].config["paths"]["run_dir"] = "/somewhere/else"
    pipeline.write()
    read = Pipeline.read(tmp_path)
    assert read.config_of(read.stages[0])["paths"]["run_dir"] == str(tmp_path / "1_a")


_ODD = (None, True, -1, 2**70, 1.5, "", "../x", "{b}", "<run>", [], [[]], {}, {"a": 1}, "\ud800", ["{z}"])


def damaged(tree: Any, draws: random.Random) -> Any:
    """A copy in which one value is another one, or gone."""
    if isinstance(tree, dict | list) and tree and draws.random() < 0.85:
        copy: Any = tree.copy()
        key = draws.choice(list(copy) if isinstance(copy, dict) else range(len(copy)))
        if draws.random() < 0.1:
            del copy[key]
        else:
            copy[key] = damaged(copy[key], draws)
        return copy
    return draws.choice(_ODD)


def test_whatever_is_damaged_is_read_or_refused(tmp_path: Path) -> None:
    made(tmp_path)
    sound, draws = json.loads((tmp_path / FILE).read_text()), random.Random(5)
    told = []
    for _ in range(250):
        (tmp_path / FILE).write_text(json.dumps(damaged(sound, draws)))
        try:
            pipeline = Pipeline.read(tmp_path)
            check_commands(pipeline.stages)
            for stage in pipeline.stages:
                if stage.trains:
                    config = pipeline.config_of(stage)
                    assert config["paths"]["run_dir"] == str(tmp_path / stage.folder)
                assert pipeline.run(stage).path.parent == tmp_path
                pipeline.words_of(stage)
        except OptionError as error:
            told.append(str(error))
    assert 80 < len(told) < 250
    assert all(len(one.splitlines()) == 1 for one in told)

"""What a pipeline's YAML may say: names, stages that train, commands, and what rests on what."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.pipeline.definition import filled, place, read_definition

_SOUND = """
stages:
  - name: a
    train: [model=mlp_vqvae]
  - name: b2
    train: ["data.tokenizer={a}", "x=${seed}", "y={a: 1}"]
  - name: c
    run: [sample, "{b2}", --out, "{folder}/x.png"]
"""


def test_stages_and_what_they_rest_on(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(_SOUND)
    a, b, c = read_definition(path)
    assert [(stage.name, stage.folder, stage.trains) for stage in (a, b, c)] == [
        ("a", "1_a", True),
        ("b2", "2_b2", True),
        ("c", "3_c", False),
    ]
    assert (a.rests_on(), b.rests_on(), c.rests_on()) == ([], ["a"], ["b2"])
    places = {"a": "/x/1_a", "folder": "/x"}
    assert [filled(word, places) for word in b.words] == ["data.tokenizer=/x/1_a", "x=${seed}", "y={a: 1}"]
    assert filled("{folder}/{other}", places) == "/x/{other}"
    assert place("a") != place("b2")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no list of stages"),
        ("stages: {a: 1}", "has no list of stages"),
        ("stages: []", "has no list of stages"),
        ("stages: [a]", "stage 1 of the file: it is no object"),
        ("stages: [{name: a}]", "it has to have one of train and run"),
        ("stages: [{name: a, train: [], run: [sample]}]", "it has to have one of train and run"),
        ("stages: [{name: a, train: x}]", "its train is of another kind"),
        ("stages: [{name: a, train: [1]}]", "its train is of another kind"),
        ("stages: [{train: []}]", "it has no name"),
        ("stages: [{name: a, train: [], more: 1}]", "it has the key more"),
        ("stages: [{name: a, train: []}]\ndefaults: []", "has the key defaults"),
        ("stages: [{name: ../a, train: []}]", "'../a' is no name of a stage"),
        ("stages: [{name: folder, train: []}]", "'folder' is no name of a stage"),
        ("stages: [{name: a, train: []}, {name: a, train: []}]", "two stages are called a"),
        ("stages: [{name: a, train: ['x={b}']}]", "a calls {b}, and there is no such stage; there are: a"),
        ("stages: [{name: a, train: ['x={a}']}]", "a rests on {a}, which comes no earlier"),
        (  # a circle
            "stages: [{name: a, train: ['x={b}']}, {name: b, train: ['x={a}']}]",
            "a rests on {b}, which comes no earlier",
        ),
        (
            "stages: [{name: a, train: []}, {name: s, run: [x]}, {name: b, train: ['x={s}']}]",
            "b calls {s}, which is a command and has no run",
        ),
        ("stages: [{name: a, train: []}, {name: s, run: []}]", "s runs no command"),
        ("stages: [{name: s, run: [sample]}]", "no stage trains anything"),
        ("stages: [", "cannot be read"),
    ],
)
def test_what_is_none_is_refused_in_a_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(OptionError) as caught:
        read_definition(path)
    assert caught.value.option == "pipeline"
    assert told in caught.value.reason

"""The commands of a pipeline read its own runs, and write in its folder alone."""

from __future__ import annotations

import pytest

from ganvas.cli.pipeline.commands import check_commands
from ganvas.errors import OptionError
from ganvas.pipeline.definition import Stage

_MODELS = {"tokenizer": {"encoder": {}, "decoder": {}}, "prior": {"prior": {}}}


def check(words: list[str]) -> None:
    stages = [
        Stage(i, name, [], True, config={"model": model}) for i, (name, model) in enumerate(_MODELS.items())
    ]
    check_commands([*stages, Stage(2, "last", words, False)])


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "{prior}", "--num", "4", "--out", "{folder}/samples.png"],
        ["sample", "{prior}", "--label", "0,1"],
        ["reconstruct", "{tokenizer}", "--out={tokenizer}/x.png"],
        ["evaluate", "{prior}", "metric/features=classifier", "--split", "test"],
        ["export", "{prior}"],
        ["pictures", "{prior}", "--kind", "complete", "--out", "{folder}/x.png"],
    ],
)
def test_what_may_be_run(words: list[str]) -> None:
    check(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sampel", "{prior}"], "a pipeline has no command sampel; there are: sample, "),
        (["runs", "rm", "{prior}", "--yes"], "a pipeline has no command runs"),
        (["train", "model=mlp_gan"], "a pipeline has no command train"),
        (["init", "{folder}/x"], "a pipeline has no command init"),
        (["sample"], "RUN: is missing"),
        (["sample", "latest"], "reads latest; name the run of a stage, e.g. {tokenizer}"),
        (["sample", "/elsewhere/run"], "reads /elsewhere/run"),
        (["sample", "{folder}"], "reads {folder}"),
        (["sample", "{prior}/../x"], "reads {prior}/../x"),
        (["sample", "{tokenizer}"], "{tokenizer} makes no samples from nothing"),
        (["reconstruct", "{prior}"], "{prior} reconstructs nothing"),
        (
            ["sample", "{prior}", "--out", "/tmp/x.png"],
            "writes /tmp/x.png; a pipeline's files lie in its folder",
        ),
        (["sample", "{prior}", "--out=x.png"], "writes x.png"),
        (["sample", "{prior}", "--out", "{folder}/../x.png"], "writes {folder}/../x.png"),
        (["sample", "{prior}", "--out", "~/x.png"], "writes /"),
        (["reconstruct", "{tokenizer}", "--o", "/tmp/x.png"], "--o: may be any of --output-dir, --out"),
        (["sample", "{prior}", "--nun", "4"], "--nun: there is no such flag; did you mean --num?"),
        (["sample", "{prior}", "--num", "x"], "must be a whole number"),
        (["sample", "{prior}", "--help"], "asks for help"),
        (["sample", "{prior}", "--config-dir", "conf"], "has words that bring code"),
        (["sample", "{prior}", "--allow-imports", "os"], "has words that bring code"),
        (["sample", "{prior}", "--allow-places"], "has words that bring code"),
    ],
)
def test_what_may_not(words: list[str], told: str) -> None:
    with pytest.raises(OptionError) as caught:
        check(words)
    assert caught.value.option == "last"
    assert told in str(caught.value)

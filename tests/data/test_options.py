"""The data group's YAML files and the constructors that they name agree."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_class

from ganvas.errors import OptionError
from ganvas.run.config.build import bind

CONF = Path(__file__).parents[2] / "conf" / "data"
FILES = sorted(CONF.glob("*.yaml"))
RUN = {
    "seed",
    "image_size",
    "root",
    "mirrors",
}  # the run's, the model's, the machine's, and a list of addresses
TEXT = {
    "root",
    "tokenizer_file",
    "cache_dir",
    "mirrors",
    "shards",
    "val_shards",
    "test_shards",
    "image_extension",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_argument_is_listed_with_its_default(path):
    node = yaml.safe_load(path.read_text())
    kind = get_class(node.pop("_target_"))
    shared = node.pop("_shared_")
    assert kind.__module__ == f"ganvas.data.{path.stem}"
    arguments = inspect.signature(kind).parameters
    assert set(node) - set(shared) == set(arguments)
    assert set(shared) <= set(node)
    for name, argument in arguments.items():
        assert argument.kind is inspect.Parameter.KEYWORD_ONLY
        if name not in RUN:
            assert (name, node[name]) == (name, argument.default)
    if path.stem == "codes":  # those of the data that the tokenizer was trained on
        return
    assert {"channels", "image_size", "sample_shape", "num_classes", "batch_size"} <= set(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_argument_is_held_against_its_type(path):
    kind = get_class(yaml.safe_load(path.read_text())["_target_"])
    for name, argument in inspect.signature(kind).parameters.items():
        text = isinstance(argument.default, str) or name in TEXT
        with pytest.raises(OptionError) as caught:
            bind(kind, {name: 3.5 if text else "none of these"}, "data")
        assert caught.value.option == f"data.{name}"


@pytest.mark.parametrize(
    ("file", "option"),
    [
        ("toy", "image_size"),
        ("toy", "root"),
        ("digits", "root"),
        ("stacked_digits", "random_shift"),
        ("stacked_mnist", "base"),
        ("image_folder", "fit"),
        ("webdataset", "fit"),
    ],
)
def test_an_option_that_is_taken_away_is_refused(file, option):
    kind = get_class(yaml.safe_load((CONF / f"{file}.yaml").read_text())["_target_"])
    with pytest.raises(OptionError, match=rf"^data\.{option}=.*: is not an option of data"):
        bind(kind, {option: 1}, "data")

"""The data group's YAML files and the constructors that they name agree."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_class

CONF = Path(__file__).parents[2] / "conf" / "data"
FILES = sorted(CONF.glob("*.yaml"))
RUN = {
    "seed",
    "image_size",
    "root",
    "mirrors",
}  # the run's, the model's, the machine's, and a list of addresses


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
    assert {"channels", "image_size", "sample_shape", "num_classes", "batch_size"} <= set(node)

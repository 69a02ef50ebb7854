from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from ganvas.functional.batch import DataFacts
from ganvas.functional.cache import cache_dir
from ganvas.metric.classifiers import place_in_cache, read_classifier, write_classifier

FACTS = DataFacts([1, 8, 8], 10, "abc", "Digits")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).to(memory_format=torch.channels_last)
    path = tmp_path / "new" / "weights.safetensors"
    write_classifier(path, network, {"accuracy": 0.5, "split": "val"})
    kept = read_classifier(path)
    assert kept.about == {"accuracy": 0.5, "split": "val"}
    assert kept.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert kept.tensors.keys() == network.state_dict().keys()
    assert all(torch.equal(kept.tensors[name], value) for name, value in network.state_dict().items())
    assert json.loads((tmp_path / "new" / "about.json").read_text()) == kept.about
    assert sorted(one.name for one in path.parent.iterdir()) == ["about.json", "weights.safetensors"]


def test_every_fact_has_a_place_of_its_own() -> None:
    facts = [
        FACTS,
        FACTS._replace(sample_shape=[1, 16, 16]),
        FACTS._replace(num_classes=9),
        FACTS._replace(train_sha256="abd"),
    ]
    places = {place_in_cache(nn.Linear(3, 2), one) for one in facts}
    places |= {place_in_cache(network, FACTS) for network in (nn.Linear(3, 3), nn.Linear(3, 2, bias=False))}
    assert len(places) == 6
    assert all(place.is_relative_to(cache_dir() / "classifiers") for place in places)
    renamed = FACTS._replace(name="Other", overrides="data=other")  # what it is called is no fact
    assert place_in_cache(nn.Linear(3, 2), renamed) in places
    with torch.device("meta"):
        assert place_in_cache(nn.Linear(3, 2), FACTS) in places


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(FileNotFoundError):
        read_classifier(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(ValueError, match="it is no safetensors file"):
        read_classifier(path)

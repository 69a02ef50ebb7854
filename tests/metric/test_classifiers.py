from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
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


def test_a_turned_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_classifier(path, nn.Linear(3, 2), {"accuracy": 0.5})
    content = path.read_bytes()
    for place in (-1, -9, content.index(b"0.5") + 2):
        turned = bytearray(content)
        turned[place] ^= 1
        path.write_bytes(turned)
        with pytest.raises(ValueError, match="its sha256 is wrong"):
            read_classifier(path)


def test_a_file_of_another_maker_needs_no_hash_of_ours(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "weights.safetensors")
    assert read_classifier(tmp_path / "weights.safetensors").about == {}


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    os.mkfifo(path)
    (tmp_path / "link").symlink_to("/dev/zero")
    for one in (path, tmp_path / "link"):
        with pytest.raises(OSError, match="is no regular file"):
            read_classifier(one)
    write_classifier(path, nn.Linear(3, 2), {})
    assert read_classifier(path).tensors.keys() == {"weight", "bias"}

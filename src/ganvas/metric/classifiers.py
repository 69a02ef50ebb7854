"""Trained classifiers on the disk: one safetensors file each, which says in its header what it is.

One that a run has finished lies in the cache folder under a hash of the data's and the network's facts, where
the extractor ``classifier`` looks for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganvas.files.plain import parse_json
from ganvas.functional.batch import DataFacts
from ganvas.functional.cache import cache_dir, put

_KEY = "ganvas_classifier"  # of the header


class StoredClassifier(NamedTuple):
    """A classifier as read: its tensors by name, what its header says, and the file's sha256."""

    tensors: dict[str, Tensor]
    about: dict[str, Any]
    sha256: str


def describe(network: nn.Module) -> str:
    """The network's layers and the shapes of its tensors; equal for networks that share weights."""
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    return f"{type(network).__module__}.{network!r}\n{json.dumps(shapes)}"


def place_in_cache(network: nn.Module, facts: DataFacts) -> Path:
    """Where the classifier with these layers of these data is kept; the file need not be there."""
    known = [facts.train_sha256, facts.sample_shape, facts.num_classes, describe(network)]
    name = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
    return cache_dir() / "classifiers" / name / "weights.safetensors"


def write_classifier(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Writes the weights, and ``about`` (plain values) into their header and, to be read, into about.json.

    The file appears whole or not at all; several processes may do this at once.

    Raises:
        OSError: it cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    text = json.dumps(dict(about), sort_keys=True)
    put(path, save(tensors, metadata={_KEY: text}))
    put(path.with_name("about.json"), json.dumps(dict(about), indent=2, sort_keys=True).encode())


def read_classifier(path: Path) -> StoredClassifier:
    """A file that :func:`write_classifier` wrote, or any safetensors file: then ``about`` is empty.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no safetensors file.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            about = parse_json((file.metadata() or {}).get(_KEY, "{}"))
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file ({error})") from error
    return StoredClassifier(tensors, about if isinstance(about, dict) else {}, sha256)

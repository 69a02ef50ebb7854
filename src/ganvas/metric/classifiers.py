"""Trained classifiers on the disk: one safetensors file each, which says in its header what it is.

One that a run has finished lies in the cache folder under a hash of the data's and the network's facts, where
the extractor ``classifier`` looks for it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganvas.files.plain import parse_json
from ganvas.files.read import open_regular
from ganvas.functional.batch import DataFacts
from ganvas.functional.cache import cache_dir, in_order, put

_KEY, _SHA256 = "ganvas_classifier", "ganvas_sha256"  # of the header
_MAX_BYTES = 1 << 32  # of a file


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
    metadata = {_KEY: text, _SHA256: _sha256(text, tensors)}
    put(path, in_order(save(tensors, metadata=metadata)))
    put(path.with_name("about.json"), json.dumps(dict(about), indent=2, sort_keys=True).encode())


def read_classifier(path: Path) -> StoredClassifier:
    """A file that :func:`write_classifier` wrote, or any safetensors file: then ``about`` is empty.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it is no safetensors file, or not what :func:`write_classifier` wrote.
    """
    with open_regular(path) as opened:
        if os.fstat(opened.fileno()).st_size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES:,} bytes")
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except SafetensorError as error:
            raise ValueError(f"it is no safetensors file ({error})") from error
    text = header.get(_KEY, "{}")
    if _SHA256 in header and header[_SHA256] != _sha256(text, tensors):
        raise ValueError("it is damaged, its sha256 is wrong")
    about = parse_json(text)
    return StoredClassifier(tensors, about if isinstance(about, dict) else {}, sha256)


def _sha256(text: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"\n{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.view(-1).view(torch.uint8).numpy().data if value.numel() else b"")
    return digest.hexdigest()

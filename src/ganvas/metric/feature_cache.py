"""Features of a split, kept on disk: real samples do not change between two evaluations.

A file is named by the hash of its manifest (the split's description, the extractor's protocol), holds it, and
is a safetensors file: reading one runs no code.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganvas.functional.cache import cache_dir, put


def manifest_of(description: dict[str, object], features: dict[str, object]) -> str:
    """What the kept features rest on, as one line of JSON."""
    return json.dumps({"format": 1, "data": description, "features": features}, sort_keys=True, default=str)


def read_features(manifest: str) -> dict[str, Tensor] | None:
    """``features`` float32 [N, F], where there are ``logits`` [N, K] and ``label`` int64 [N]; None if absent.

    A file that is damaged counts as absent.
    """
    path = _path(manifest)
    try:
        with safe_open(path, framework="pt") as file:
            stored = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError):
        return None
    whole = stored.get("manifest") == manifest and stored.get("sha256") == _sha256(tensors)
    return tensors if whole else None


def write_features(manifest: str, tensors: dict[str, Tensor]) -> None:
    """Keeps them; where the disk does not take them they are made again next time."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with suppress(OSError, SafetensorError):
        put(_path(manifest), save(tensors, metadata={"manifest": manifest, "sha256": _sha256(tensors)}))


def _path(manifest: str) -> Path:
    return cache_dir() / "features" / f"{hashlib.sha256(manifest.encode()).hexdigest()[:32]}.safetensors"


def _sha256(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()

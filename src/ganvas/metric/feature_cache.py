"""Features of a split, kept on disk: real samples do not change between two evaluations.

A file is named by the hash of its manifest (the split's description, the extractor's protocol), holds it and
a sha256 of its tensors, and is a safetensors file: reading one runs no code. One that is not what was written
is said, and made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganvas.files.plain import parse_json
from ganvas.files.read import open_regular
from ganvas.files.text import one_line
from ganvas.functional.cache import cache_dir, in_order, put

log = logging.getLogger("ganvas")

_TENSORS = {
    "features": (torch.float32, 2),
    "logits": (torch.float32, 2),
    "label": (torch.int64, 1),
}  # and axes


def manifest_of(description: dict[str, object], features: dict[str, object]) -> str:
    """What the kept features rest on, as one line of JSON."""
    return json.dumps({"format": 1, "data": description, "features": features}, sort_keys=True, default=str)


def read_features(manifest: str) -> dict[str, Tensor] | None:
    """``features`` float32 [N, F], where there are ``logits`` float [N, K] and ``label`` int64 [N]; None if
    absent.

    A file that is damaged, or whose tensors are others, counts as absent, and a line of the log says so.
    """
    path = _path(manifest)
    try:
        with open_regular(path):
            return _read(path, manifest)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (OSError, ValueError, SafetensorError) as error:
        reason = one_line(str(getattr(error, "strerror", None) or error))
        log.warning("%s cannot be used (%s); the features are made anew", path, reason)
        return None


def _read(path: Path, manifest: str) -> dict[str, Tensor]:
    """Raises ValueError or SafetensorError for a file that is not the manifest's."""
    with safe_open(path, framework="pt") as file:
        stored = file.metadata() or {}
        if stored.get("manifest") != manifest:
            raise ValueError("it is of other samples")
        names = set(file.keys())
        if not {"features"} <= names <= _TENSORS.keys():
            raise ValueError("it holds other tensors")
        tensors = {name: file.get_tensor(name) for name in sorted(names)}
    data = parse_json(manifest).get("data", {})
    count = data.get("samples", tensors["features"].shape[:1].numel())
    for name, value in tensors.items():
        kind, axes = _TENSORS[name]
        if value.dtype != kind or value.ndim != axes or not value.numel() or len(value) != count:
            raise ValueError(f"its {name} are {value.dtype} {list(value.shape)}")
    if stored.get("sha256") != _sha256(tensors):
        raise ValueError("its sha256 is wrong")
    return tensors


def write_features(manifest: str, tensors: dict[str, Tensor]) -> None:
    """Keeps them; where the disk does not take them they are made again next time."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with suppress(OSError, SafetensorError):
        metadata = {"manifest": manifest, "sha256": _sha256(tensors)}
        put(_path(manifest), in_order(save(tensors, metadata=metadata)))


def _path(manifest: str) -> Path:
    return cache_dir() / "features" / f"{hashlib.sha256(manifest.encode()).hexdigest()[:32]}.safetensors"


def _sha256(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

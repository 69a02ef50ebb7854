"""Codes of a data set, kept on disk: a tokenizer whose weights do not move gives the same ones again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas.data.files.cache_folder import Absent, absent_or
from ganvas.files.read import read_bytes
from ganvas.files.sealed import seal, unseal
from ganvas.files.text import one_line
from ganvas.functional.cache import cache_dir, put

log = logging.getLogger("ganvas")

_KINDS = ((2**8, "<u1"), (2**16, "<u2"), (2**31, "<i4"))  # codes below, and the numbers that hold them


def read_codes(
    key: Mapping[str, object], counts: Mapping[str, int], sizes: Tensor
) -> dict[str, Tensor] | None:
    """Codes int32 [N, length] of each split, N as ``counts`` says; None where they are not kept.

    A file that is damaged counts as absent, and a line of the log says so.

    Args:
        key: what the codes rest on, plain values.
        sizes: int64 [length], number of codes of each place.
    """
    path, kind = _path(key), _kind(sizes)
    total = sum(counts.values()) * len(sizes)
    try:
        with absent_or():
            about, body = unseal(read_bytes(path, total * kind.itemsize + 65_536))
        if about != {"key": dict(key), "counts": dict(counts)} or len(body) != total * kind.itemsize:
            raise ValueError("is of other codes")
        every = torch.from_numpy(np.frombuffer(body, kind).astype(np.int32)).view(-1, len(sizes))
        if (every < 0).any() or (every >= sizes).any():
            raise ValueError("holds codes that there are not")
    except Absent:
        return None
    except (OSError, ValueError) as error:
        reason = one_line(str(getattr(error, "strerror", None) or error))
        log.warning("%s cannot be used (%s); the codes are made anew", path, reason)
        return None
    return dict(zip(counts, every.split(list(counts.values())), strict=True))


def write_codes(key: Mapping[str, object], codes: Mapping[str, Tensor], sizes: Tensor) -> None:
    """Keeps them; where the disk does not take them they are made again next time."""
    counts = {name: len(one) for name, one in codes.items()}
    body = torch.cat(list(codes.values())).numpy().astype(_kind(sizes)).tobytes()
    with suppress(OSError):
        put(_path(key), seal({"key": dict(key), "counts": counts}, body))


def _kind(sizes: Tensor) -> np.dtype[np.generic]:
    most = int(sizes.max())
    return np.dtype(next(kind for limit, kind in _KINDS if most <= limit))


def _path(key: Mapping[str, object]) -> Path:
    text = json.dumps(dict(key), sort_keys=True)
    return cache_dir() / "codes" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.codes"

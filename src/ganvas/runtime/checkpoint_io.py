"""Checkpoints that are whole or absent: same-folder temporary file, fsync, sha256 sidecar, atomic rename.

Lightning's own staging goes through $TMPDIR, so that a kill can leave a truncated file under the final name.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from ganvas.errors import OptionError
from ganvas.runtime.run_folder import checksum_matches


class DurableCheckpointIO(CheckpointIO):
    """Writes and reads ``<images>.ckpt`` with ``<images>.ckpt.sha256`` beside it, ``weights_only`` always."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        data = buffer.getbuffer()
        digest = hashlib.sha256(data).hexdigest()
        # The sidecar first: a checkpoint under its final name always has its hash beside it.
        _write_durably(path.with_name(path.name + ".sha256"), f"{digest}  {path.name}\n".encode())
        _write_durably(path, data)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
        path = Path(path)
        if not checksum_matches(path):
            raise OptionError(
                "checkpoint", path, "its sha256 is wrong or missing: the file is damaged; use an older one"
            )
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        path = Path(path)
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".sha256").unlink(missing_ok=True)


def _write_durably(path: Path, data: bytes | memoryview) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""Checkpoints that are whole or absent: same-folder temporary file, fsync, sha256 sidecar, atomic rename.

Lightning's own staging goes through $TMPDIR, so that a kill can leave a truncated file under the final name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from ganvas.errors import OptionError
from ganvas.files.write import WholeFile, sync_file, sync_folder
from ganvas.run.folder.checksum import checksum_matches, checksums, sidecar

_HASH_BESIDE = 1 << 20  # bytes from which hashing in a second thread pays
_SYNC_EVERY = 1 << 24  # bytes after which the disk is set to work while more are on their way


class DurableCheckpointIO(CheckpointIO):
    """Writes and reads ``<examples>.ckpt`` and ``<examples>.ckpt.sha256`` beside it, ``weights_only`` always.

    Attributes:
        error: why the last save left no file, None where it did: a full disk must not end a run, and
            under DDP the ranks that write nothing wait for the one that does.
        unsaved: what the last save got (the checkpoint and its path) where it left no file; its tensors are
            those of the run, which go on to change.
    """

    error: OSError | None = None
    unsaved: tuple[dict[str, Any], Path] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path, self.error, self.unsaved = Path(path), None, None
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = _write(checkpoint, temporary)
            # The sidecar first: a checkpoint under its final name always has its hash beside it. Until an
            # older file of this name is replaced, its own hash stays there too.
            old = checksums(path) if path.exists() else []
            _write_sidecar(path, [digest, *old])
            os.replace(temporary, path)
            sync_folder(path.parent)
            if old:
                _write_sidecar(path, [digest])
        except OSError as error:
            self.error, self.unsaved = error, (checkpoint, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

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
        sidecar(path).unlink(missing_ok=True)


class _HashingFile:
    """A file that hashes what is written to it, large pieces while they are on their way to the disk.

    Called from inside torch's C++ writer, which an exception must not cross: the first OSError is kept, the
    rest of the bytes dropped, and :meth:`finish` raises it.
    """

    def __init__(self, raw: FileIO, beside: ThreadPoolExecutor, syncing: ThreadPoolExecutor) -> None:
        self.raw, self.beside, self.syncing, self.hash = raw, beside, syncing, hashlib.sha256()
        self.error: OSError | None = None
        self._unsynced = 0
        self._sync: Future[None] | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.error is None:
            hashing = self.beside.submit(self.hash.update, view) if len(view) >= _HASH_BESIDE else None
            try:
                rest = view
                while rest:
                    rest = rest[self.raw.write(rest) :]
            except OSError as error:
                self.error = error
            if hashing is None:
                self.hash.update(view)
            else:
                hashing.result()  # torch may reuse the memory after this call
            self._unsynced += len(view)
            if self._unsynced >= _SYNC_EVERY and (self._sync is None or self._sync.done()):
                self._collect()
                self._sync = self.syncing.submit(sync_file, self.raw.fileno(), content_only=True)
                self._unsynced = 0
        return len(view)

    def _collect(self) -> None:
        """What the disk reported to the last sync: a later one might not be told again."""
        error = self._sync.exception() if self._sync is not None else None
        if isinstance(error, OSError):
            self.error = self.error or error

    def flush(self) -> None:
        """Nothing is held back."""

    def finish(self) -> str:
        """Makes the bytes durable; returns their sha256, or raises what went wrong on the way."""
        self._collect()
        if self.error is not None:
            raise self.error
        sync_file(self.raw.fileno())
        return self.hash.hexdigest()


def _write(checkpoint: dict[str, Any], path: Path) -> str:
    with FileIO(path, "wb") as raw, ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(1) as syncing:
        file = _HashingFile(raw, beside, syncing)
        torch.save(checkpoint, file)  # type: ignore[arg-type]  # write is all it needs
        return file.finish()


def _write_sidecar(path: Path, digests: Sequence[str]) -> None:
    text = "".join(f"{digest}  {path.name}\n" for digest in digests)
    with WholeFile(sidecar(path), is_strict=True) as file:
        file.write(text.encode())

"""CIFAR-10 (Krizhevsky 2009): 60,000 images of 32x32 in 10 classes, from the archive of Python pickles.

A pickle can run code, so these are read by an unpickler that admits numpy arrays and plain values alone, and
only after their hash has been checked. Nothing is extracted: members are read into memory, by their names.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct  # numpy pickles by it

from ganvas.data.kinds.downloaded import DownloadedDataModule
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError, require
from ganvas.files.read import open_regular, read_bytes
from ganvas.functional.download import RemoteFile, download

_ADMITTED = {"_reconstruct", "ndarray", "dtype"}  # what a pickled array names
_MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}
_MAX_BYTES = 200_000_000  # of the archive, which has 170,498,071
_MAX_MEMBERS = 32  # of the archive, which has 9
_MAX_MEMBER = 40_000_000  # bytes of one, unpacked; a batch has 31,035,704


# What a damaged or forged archive or pickle ends in.
_UNREADABLE = (
    OSError,
    EOFError,
    tarfile.TarError,
    zlib.error,
    pickle.UnpicklingError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@dataclass(kw_only=True, eq=False, repr=False)
class CIFAR10(DownloadedDataModule):
    """45,000 training, 5,000 validation and 10,000 test images; 10 classes, 3 channels.

    ``root`` may hold the archive, or the batches extracted from it (in ``cifar-10-batches-py`` or directly);
    otherwise the archive is downloaded there.

    Args: see :class:`ganvas.data.kinds.downloaded.DownloadedDataModule`.
    """

    title = "CIFAR-10"
    archive: ClassVar[str] = "cifar-10-python.tar.gz"
    archive_sha256: ClassVar[str] = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    folder: ClassVar[str] = "cifar-10-batches-py"
    batch_md5: ClassVar[dict[str, str]] = {  # as published with the data set; the last one is the test set
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }

    channels: int | None = 3
    image_size: int | None = 32

    def load(self) -> dict[str, Stored]:
        root = self._folder()
        try:
            contents = self._read(root)
            batches = [parse_batch(contents[name]) for name in self.batch_md5]
        except OptionError:
            raise
        except _UNREADABLE as error:
            raise OptionError("root", str(root), f"cannot be read as CIFAR-10 ({error})") from error
        *training, test = batches
        whole = Stored(
            x=torch.cat([batch.x for batch in training]),
            label=torch.cat([batch.label for batch in training if batch.label is not None]),
        )
        return self._splits_of(whole, test)

    def _read(self, root: Path) -> dict[str, bytes]:
        """The batches' checked contents."""
        for folder in (root / self.folder, root):
            if all(os.path.exists(folder / name) for name in self.batch_md5):
                contents = {name: read_bytes(folder / name, _MAX_MEMBER) for name in self.batch_md5}
                for name, md5 in self.batch_md5.items():
                    found = hashlib.md5(contents[name], usedforsecurity=False).hexdigest()
                    self._require_same(found == md5, folder / name)
                return contents
        path = root / self.archive
        if os.path.exists(path):
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                same = size <= _MAX_BYTES and hashlib.file_digest(file, "sha256").hexdigest()
                self._require_same(same == self.archive_sha256, path)
        else:
            remote = RemoteFile(self.archive, self.archive_sha256, _MAX_BYTES)
            (path,) = download([remote], folder=root, mirrors=self.mirrors or [])
        return self._read_archive(path)

    def _read_archive(self, path: Path) -> dict[str, bytes]:
        contents = {}
        with tarfile.open(path, "r:gz") as archive:
            for count, member in enumerate(archive):  # one pass: a gzip stream cannot seek back cheaply
                if count >= _MAX_MEMBERS or member.size > _MAX_MEMBER:
                    raise ValueError("its members are more or larger than CIFAR-10's")
                folder, _, name = member.name.rpartition("/")
                wanted = folder == self.folder and name in self.batch_md5 and member.isreg()
                file = archive.extractfile(member) if wanted else None
                if file is not None:
                    contents[name] = file.read()
        return contents

    def _require_same(self, same: bool, path: Path) -> None:
        reason = "is not CIFAR-10's file of this name, or is damaged (hash); delete it and fetch it again"
        require(same, "root", str(path), reason)


class _PlainUnpickler(pickle.Unpickler):
    """Admits numpy arrays beside the values that a pickle holds without naming any class."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _ADMITTED:
            return _reconstruct if name == "_reconstruct" else getattr(np, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no plain data")


def parse_batch(content: bytes) -> Stored:
    """A pickled batch: ``data`` uint8 [N, 3072] in the order channel, row, column; ``labels``, N integers.

    Raises:
        pickle.UnpicklingError: it names anything but arrays.
        KeyError, ValueError: it does not hold these entries, or not in this shape.
    """
    batch = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    x = torch.from_numpy(np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32).copy())
    label = torch.tensor(batch[b"labels"], dtype=torch.int64)
    if len(x) != len(label):
        raise ValueError(f"{len(x)} images have {len(label)} labels")
    return Stored(x=x, label=label)

"""Images of sharded tar files as a tensor that decodes the rows it is asked for."""

from __future__ import annotations

import io
import math
import os
import tarfile
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from ganvas.data.files.damaged import HOW, Damage
from ganvas.data.files.decode import Decoding, ImageArray, decode, require_pixels, to_square, why
from ganvas.data.shard.index import ShardIndex, stamp
from ganvas.errors import OptionError
from ganvas.files.read import open_regular

_MAX_OPEN = 256  # shards held open by a process; systems allow 1,024 files
_MAX_THREADS = 8  # that decode where no worker process does
_NPY = b"\x93NUMPY"
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class ShardImages:
    """What of a tensor uint8 [N, C, H, W] a split is asked for; nothing is held in memory.

    Args:
        index: the samples.
        how: what the images become.
        named: the option that named the shards and its value, for errors.

    Raises:
        OptionError: that option, naming shard and key, when a row is read that is no image, or whose shard
            was changed or is gone.
    """

    dtype = torch.uint8

    def __init__(self, index: ShardIndex, *, how: Decoding, named: tuple[str, object]) -> None:
        self.index, self.how, self.named = index, how, named
        self._files: OrderedDict[int, int] = OrderedDict()  # shard -> descriptor, the latest used last
        self._lock = threading.Lock()

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self.index), *self.how.shape))

    def __len__(self) -> int:
        return len(self.index)

    def is_floating_point(self) -> bool:
        return False

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Rows int64 [B]: uint8 [B, C, H, W]."""
        assert dim == 0
        return self[rows]

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Tensor:
        if isinstance(rows, slice):
            rows = range(*rows.indices(len(self)))
        numbers = rows.tolist() if isinstance(rows, Tensor) else list(rows)
        out = torch.empty((len(numbers), *self.shape[1:]), dtype=torch.uint8)
        images = out.numpy()

        def take(place: int, content: bytes) -> None:
            try:
                images[place] = self._decode(content)
            except Exception as error:  # decoders raise almost anything on damaged data
                reason = f"cannot be read as an image ({why(error)}); mend it, or {HOW}"
                raise self._error(numbers[place], reason) from error

        self._for_each(numbers, take)
        return out

    def find_damage(self) -> list[Damage]:
        """The images that cannot be read, by shard and key; every one is decoded."""
        found: list[Damage] = []

        def look(number: int, content: bytes) -> None:
            try:
                self._decode(content)
            except Exception as error:  # as above
                shard = self.index.paths[int(self.index.shard[number])].name
                found.append(Damage(number, f"{shard}, key {self._key(number)}", why(error)))

        self._for_each(range(len(self)), look)
        return sorted(found)

    def _for_each(self, numbers: Sequence[int], do: Callable[[int, bytes], None]) -> None:
        """Calls ``do`` with the place and the content of each image, in threads where it helps."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks
            # A worker process has a core of its own; elsewhere Pillow decodes without the interpreter's lock.
            if get_worker_info() is not None or len(numbers) < 2 * _MAX_THREADS:
                for place, number in enumerate(numbers):
                    do(place, self.read(number))
            else:
                threads = min(_MAX_THREADS, os.cpu_count() or 1)
                with ThreadPoolExecutor(threads) as pool:
                    for start in range(0, len(numbers), 1024):  # encoded images held at a time
                        places = range(start, min(start + 1024, len(numbers)))
                        list(pool.map(do, places, [self.read(numbers[place]) for place in places]))

    def read(self, number: int) -> bytes:
        """An image as it lies in its shard."""
        index = self.index
        shard, length = int(index.shard[number]), int(index.length[number])
        if length > self.how.max_bytes:
            reason = f"has {length:,} bytes, more than {self.how.max_pixels:,} pixels can have (max_pixels)"
            raise self._error(number, f"{reason}; {HOW}")
        try:
            with self._lock:
                content = os.pread(self._open(shard), length, int(index.offset[number]))
        except OSError as error:
            raise self._error(
                number, f"cannot be read ({error.strerror or error}); fetch the shard again"
            ) from error
        if len(content) != length:
            raise self._error(number, "is cut off; fetch the shard again")
        return content

    def _open(self, shard: int) -> int:
        file = self._files.pop(shard, None)
        if file is None:
            with open_regular(self.index.paths[shard]) as opened:
                file = os.dup(opened.fileno())
            if stamp(file) != tuple(self.index.stamps[shard].tolist()):
                os.close(file)
                raise OSError("the shard was changed since it was indexed")
            if len(self._files) >= _MAX_OPEN:
                os.close(self._files.popitem(last=False)[1])
        self._files[shard] = file
        return file

    def _decode(self, content: bytes) -> ImageArray:
        if not content.startswith(_NPY):
            return decode(io.BytesIO(content), self.how)
        array = _read_npy(content, self.how.max_pixels)
        image = Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)
        return to_square(image, self.how)

    def _error(self, number: int, reason: str) -> OptionError:
        path = self.index.paths[int(self.index.shard[number])]
        return OptionError(*self.named, f"shard {path.name}, key {self._key(number)}: {reason}")

    def _key(self, number: int) -> str:
        """From the header before the image; a long name is shortened there."""
        try:
            with open_regular(self.index.paths[int(self.index.shard[number])]) as file:
                header = os.pread(file.fileno(), 512, int(self.index.offset[number]) - 512)
            folder, slash, name = tarfile.TarInfo.frombuf(header, "utf-8", "replace").name.rpartition("/")
            return folder + slash + name.partition(".")[0]
        except (OSError, tarfile.HeaderError):
            return f"of sample {number}"

    def close(self) -> None:
        """Closes the shards; the next read opens them again."""
        with self._lock:
            while self._files:
                os.close(self._files.popitem()[1])

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes that are started afresh: descriptors and locks stay behind."""
        return {name: getattr(self, name) for name in ("index", "how", "named")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # an object made anew

    def __del__(self) -> None:
        self.close()


def _read_npy(content: bytes, max_pixels: int) -> ImageArray:
    """The array of an .npy file, whose header is read before memory is taken for what it says.

    Raises:
        ValueError: it is no uint8 [H, W] or [H, W, 1, 3 or 4] of 1 to ``max_pixels`` pixels, or is cut off.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in _NPY_HEADERS:
        raise ValueError(f"an .npy of version {version}")
    shape, by_columns, kind = _NPY_HEADERS[version](file)
    whole = all(type(size) is int for size in shape)
    if kind != np.uint8 or not whole or len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,), (4,)):
        raise ValueError(f"an .npy of {kind} {list(shape)}; it must be uint8 [H, W] or [H, W, C]")
    require_pixels(shape[1], shape[0], max_pixels)
    if len(content) - file.tell() != math.prod(shape):
        raise ValueError(f"an .npy of {list(shape)} whose data have {len(content) - file.tell():,} bytes")
    array = np.frombuffer(content, np.uint8, offset=file.tell())
    return array.reshape(shape, order="F" if by_columns else "C")

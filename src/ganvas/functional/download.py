"""Downloads: mirrors tried in turn, each file checked against its sha256 before it gets its name."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ganvas.errors import OptionError, require
from ganvas.files.write import WholeFile, make_way

TIMEOUT = 8.0  # seconds without a byte before a mirror is given up
_BLOCK = 1 << 18  # bytes read at a time
_GZIP = 31  # zlib's window bits for a gzip header


@dataclass(frozen=True)
class RemoteFile:
    """A file as mirrors hold it.

    Attributes:
        name: appended to a mirror's address, and the file's name on disk.
        sha256: of the content; of the uncompressed content where ``gzipped``.
        max_bytes: cap on what is accepted, of the content and of the transfer.
        gzipped: whether the mirror sends a .gz, whose own hash depends on who packed it.
    """

    name: str
    sha256: str
    max_bytes: int
    gzipped: bool = False


class _MirrorFailedError(Exception):
    """One mirror's failure; the next is tried."""


def require_mirrors(mirrors: Sequence[str]) -> None:
    """Raises OptionError for an address that is not http(s)."""
    for mirror in mirrors:
        require(
            mirror.startswith(("http://", "https://")),
            "mirrors",
            mirror,
            "must start with http:// or https://; mirrors=[] downloads nothing",
        )


def download(
    files: Sequence[RemoteFile], *, folder: Path, mirrors: Sequence[str], timeout: float = TIMEOUT
) -> list[Path]:
    """Fetches the files into a folder and returns their paths, in order.

    A file appears under its name only whole and checked. Several processes may do this at once.

    Args:
        folder: made if need be, once a mirror has answered.
        mirrors: addresses of folders, tried in turn for each file.
        timeout: seconds without a byte before a mirror is given up.

    Raises:
        OptionError: ``root`` where no mirror gave a file, or the folder cannot be written.
    """
    names = ", ".join(file.name for file in files)
    by_hand = f"put the files {names} by hand into {folder}"
    if not mirrors:
        raise OptionError("root", str(folder), f"files are missing and mirrors=[]; {by_hand}")
    paths = []
    for file in files:
        failures = []
        for mirror in mirrors:
            address = f"{mirror.rstrip('/')}/{file.name}"
            try:
                paths.append(_fetch(file, address=address, folder=folder, timeout=timeout))
                break
            except _MirrorFailedError as failure:
                failures.append(f"{address}: {failure}")
            except OSError as error:
                raise OptionError("root", str(folder), f"cannot be written ({error}); {by_hand}") from error
        else:
            reasons = " | ".join(failures)
            raise OptionError("root", str(folder), f"no mirror could be reached ({reasons}); {by_hand}")
    return paths


def _fetch(file: RemoteFile, *, address: str, folder: Path, timeout: float) -> Path:
    with _open(address, timeout) as response:
        folder.mkdir(parents=True, exist_ok=True)
        make_way(folder / file.name)
        with WholeFile(folder / file.name) as target:
            _copy(file, response, target)
    return folder / file.name


def _open(address: str, timeout: float) -> http.client.HTTPResponse:
    request = urllib.request.Request(address, headers={"User-Agent": "ganvas"})
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
        return answer
    except urllib.error.HTTPError as error:
        raise _MirrorFailedError(f"HTTP {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorFailedError(str(getattr(error, "reason", error))) from error


def _copy(file: RemoteFile, response: http.client.HTTPResponse, target: IO[bytes]) -> None:
    """Writes the body as sent while hashing its content."""
    digest = hashlib.sha256()
    inflate = zlib.decompressobj(_GZIP) if file.gzipped else None
    size = 0  # of the content
    for sent in _blocks(response, file.max_bytes):
        target.write(sent)
        block = sent
        if inflate is not None:
            try:
                block = inflate.decompress(sent, file.max_bytes - size + 1)
            except zlib.error as error:
                raise _MirrorFailedError("the answer is no gzip file") from error
        size += len(block)
        if size > file.max_bytes:
            raise _MirrorFailedError(f"unpacks to more than {file.max_bytes} bytes")
        digest.update(block)
    if digest.hexdigest() != file.sha256:
        raise _MirrorFailedError(f"wrong content, sha256 {digest.hexdigest()[:12]} is not {file.sha256[:12]}")


def _blocks(response: http.client.HTTPResponse, max_bytes: int) -> Iterator[bytes]:
    received = 0
    expected = response.headers.get("Content-Length")
    while True:
        try:
            block = response.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _MirrorFailedError(f"broke off after {received} bytes ({error})") from error
        if not block:
            break
        received += len(block)
        if received > max_bytes:
            raise _MirrorFailedError(f"sends more than {max_bytes} bytes")
        yield block
    if expected is not None and str(received) != expected.strip():  # http.client keeps silent here
        raise _MirrorFailedError(f"broke off after {received} of {expected} bytes")

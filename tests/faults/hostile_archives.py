"""Attacks by a data set's archive, by addresses in place of a RUN, and by names that lead elsewhere."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from hostile_case import Case, Payload, forged_run

_ARCHIVE = "cifar-10-python.tar.gz"
_INSIDE = "cifar-10-batches-py"
_NAMES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
Member = tuple[tarfile.TarInfo, bytes]


def _file(name: str, content: bytes = b"x") -> Member:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def _link(name: str, target: str, kind: bytes) -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def _archive(
    name: str, members: Callable[[Path], Iterable[Member]], says: str = "", trusted: bool = True
) -> Case:
    """An archive whose hash is taken as the pinned one, unless it is not ``trusted``."""

    def prepare(canary: Path, folder: Path) -> list[str]:
        with tarfile.open(folder / _ARCHIVE, "w:gz") as archive:
            for member, content in members(canary):
                archive.addfile(member, io.BytesIO(content))
        return ["train", "data=cifar10", "data.root=.", "data.mirrors=[]", "trainer=smoke", "model=dcgan"]

    trust = _ARCHIVE if trusted else None
    return Case(f"archive/{name}", prepare, says=says or "cannot be read as CIFAR-10", trust=trust)


def _batches(content: bytes) -> list[Member]:
    return [_file(f"{_INSIDE}/{name}", content) for name in _NAMES]


def _system(canary: Path) -> bytes:
    return pickle.dumps({b"data": Payload(os.system, f"touch {canary}"), b"labels": []}, protocol=4)


_HUGE_ARRAY = b"}(C\x04datacnumpy\nndarray\n((I1125899906842624\nttRC\x06labels]u."

_ARCHIVES = [
    _archive("not_the_pinned_one", lambda canary: _batches(_system(canary)), "hash", trusted=False),
    _archive("pickle_runs_code", lambda canary: _batches(_system(canary)), "no plain data"),
    _archive("member_above", lambda canary: [_file("../canary"), _file(f"../{_NAMES[0]}")]),
    _archive("member_above_inside", lambda canary: [_file(f"{_INSIDE}/../../canary")]),
    _archive("absolute_member", lambda canary: [_file(str(canary))]),
    _archive("symlink", lambda canary: [_link(f"{_INSIDE}/{_NAMES[0]}", "/etc/passwd", tarfile.SYMTYPE)]),
    _archive("hard_link", lambda canary: [_link(f"{_INSIDE}/{_NAMES[0]}", "../../canary", tarfile.LNKTYPE)]),
    _archive(
        "symlinked_folder",
        lambda canary: [_link(_INSIDE, str(canary.parent), tarfile.SYMTYPE), _file(f"{_INSIDE}/canary")],
    ),
    _archive("pipe", lambda canary: [_link(f"{_INSIDE}/{_NAMES[0]}", "", tarfile.FIFOTYPE)]),
    _archive("many_members", lambda canary: [_file(f"{_INSIDE}/{n}") for n in range(1000)], "more or larger"),
    _archive("large_member", lambda canary: [_file(f"{_INSIDE}/x", bytes(45_000_000))], "more or larger"),
    _archive("huge_array", lambda canary: _batches(_HUGE_ARRAY)),
    _archive("cut_pickle", lambda canary: _batches(b"\x80\x04\x95")),
    _archive("empty", lambda canary: []),
]


def _no_archive(canary: Path, folder: Path) -> list[str]:
    (folder / _ARCHIVE).write_bytes(b"\x1f\x8b" + b"x" * 100)
    return ["train", "data=cifar10", "data.root=.", "data.mirrors=[]", "trainer=smoke", "model=dcgan"]


def _address(command: str, address: str) -> Case:
    def prepare(canary: Path, folder: Path) -> list[str]:
        forged_run(folder)
        return [command, address.replace("HERE", str(folder / "run"))]

    return Case(f"address/{command}_{address.partition(':')[0]}", prepare, says="is an address")


def _words(name: str, *words: str, says: str) -> Case:
    return Case(f"words/{name}", lambda canary, folder: list(words), says=says)


CASES = [
    *_ARCHIVES,
    Case("archive/no_archive", _no_archive, says="cannot be read", trust=_ARCHIVE),
    _address("sample", "http://localhost/run"),
    _address("resume", "https://localhost/run"),
    _address("evaluate", "file://HERE"),
    _address("export", "file:HERE"),
    _address("reconstruct", "s3://bucket/run"),
    _words("resume_of_an_address", "train", "resume='http://localhost/run'", says="is an address"),
    _words("run_above", "sample", "../../run", says="no run under"),
    _words("name_above", "train", "name=../canary", says="name=../canary"),
    _words("name_absolute", "train", "name=/canary", says="name=/canary"),
    _words(
        "mirror_of_files", "train", "data=mnist", "data.root=.", "data.mirrors=['file:///etc']", says="http"
    ),
    _words("target_by_override", "train", "model._target_=os.system", says="allow-list"),
    _words("target_in_an_override", "train", "+callback.x={_target_:os.system,command:x}", says="allow-list"),
]

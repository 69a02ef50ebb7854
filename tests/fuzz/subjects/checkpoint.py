"""Checkpoints: what torch.save holds, the zip around it, the sidecar with its hash."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from pathlib import Path
from typing import Any

import torch
from mutate import place, raw, tensors
from mutate.files import damage_bytes
from subject import Reader, Subject
from world import World

from subjects.readers import lay_run, weights_reader


def _newest(folder: Path) -> Path:
    return sorted((folder / "run" / "checkpoints").glob("*.ckpt"))[-1]


def _write(path: Path, content: bytes) -> None:
    """With the hash that belongs to it; the older checkpoints go, so that nobody falls back to them."""
    for other in path.parent.glob("*.ckpt*"):
        other.unlink()
    path.write_bytes(content)
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")


def _lay_content(world: World, folder: Path, draws: random.Random) -> Reader:
    model = lay_run(world, folder, draws)
    path = _newest(folder)
    content = torch.load(path, weights_only=True)
    file = io.BytesIO()
    with_cycles: Any = tensors.damaged(content, draws)
    try:
        torch.save(with_cycles, file)
    except (RuntimeError, RecursionError, NotImplementedError, ValueError, UnicodeEncodeError):
        file = io.BytesIO()
        torch.save({}, file)
    _write(path, file.getvalue())
    return weights_reader(model, draws)


def _lay_zip(world: World, folder: Path, draws: random.Random) -> Reader:
    model = lay_run(world, folder, draws)
    path = _newest(folder)
    content = path.read_bytes()
    _write(path, raw.damaged(content, draws) if draws.random() < 0.3 else _repacked(content, draws))
    return weights_reader(model, draws)


def _repacked(content: bytes, draws: random.Random) -> bytes:
    """The archive again, with members damaged, dropped, swapped, doubled, packed or renamed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(draws.choice((1, 1, 2))):
        _change(members, draws)
    file = io.BytesIO()
    packing = draws.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return file.getvalue()


def _change(members: list[tuple[str, bytes]], draws: random.Random) -> None:
    at = draws.randrange(len(members))
    if draws.random() < 0.4:
        at = next((index for index, (name, _) in enumerate(members) if name.endswith("data.pkl")), at)
    name, data = members[at]
    kind = draws.randrange(7)
    if kind in (0, 1):
        members[at] = (name, raw.damaged(data, draws))
    elif kind == 2:
        del members[at]
    elif kind == 3:
        other = draws.randrange(len(members))
        members[at], members[other] = (name, members[other][1]), (members[other][0], data)
    elif kind == 4:
        members.append((name, raw.damaged(data, draws)))
    elif kind == 5:
        members[at] = (draws.choice((f"../{name}", "/etc/x", f"{name}x", "", name.upper())), data)
    else:
        members[at] = (name, data * draws.choice((0, 2, 3)))
    if not members:
        members.append((name, data))


def _lay_sidecar(world: World, folder: Path, draws: random.Random) -> Reader:
    model = lay_run(world, folder, draws)
    path = _newest(folder)
    sidecar = path.with_name(f"{path.name}.sha256")
    if draws.random() < 0.2:
        place.replaced(draws.choice((path, sidecar)), draws)
    else:
        damage_bytes(sidecar, draws)
    return weights_reader(model, draws)


SUBJECTS = [
    Subject("checkpoint", "tensors and values of a checkpoint, with the right hash", _lay_content),
    Subject("checkpoint_zip", "members of a checkpoint's archive, with the right hash", _lay_zip),
    Subject("sidecar", "the file with a checkpoint's hash", _lay_sidecar),
]

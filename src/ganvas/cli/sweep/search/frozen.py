"""The config groups as they were when a search began: later trials are composed of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganvas.cli.compose.session import hydra_session
from ganvas.files.folders import packaged_conf
from ganvas.files.plain import MAX_BYTES
from ganvas.files.read import read_bytes
from ganvas.files.write import Workshop, new_folder

FOLDER = "conf"  # in the sweep's folder
_PACKAGED, _USERS = "packaged", "user"


def freeze(sweep: Path, config_dir: str | None) -> None:
    """Copies every YAML of the packaged groups, and of the user's, into the sweep; no code."""
    sweep.mkdir(parents=True, exist_ok=True)
    with new_folder(sweep / FOLDER) as place:
        _copy(packaged_conf(), place, _PACKAGED)
        if config_dir is not None:
            _copy(Path(config_dir), place, _USERS)


@contextmanager
def frozen_session(sweep: Path) -> Iterator[Any]:
    """A Hydra object over a sweep's frozen groups; nothing of the sweep's folder becomes importable."""
    folder = sweep / FOLDER
    users = folder / _USERS
    own = str(users) if users.is_dir() else None
    with hydra_session(own, packaged=folder / _PACKAGED, importable=False) as hydra:
        yield hydra


def _copy(source: Path, place: Workshop, name: str) -> None:
    (place.path / name).mkdir()
    for path in _yamls(source):
        place.write(f"{name}/{path.relative_to(source)}", read_bytes(path, MAX_BYTES))


def _yamls(folder: Path) -> Iterator[Path]:
    """Config files, also in folders below; runs and sweeps that lie there are none."""
    names = {path.name: path for path in sorted(folder.iterdir())}
    if not names.keys().isdisjoint(("run.yaml", "sweep.json")):
        return
    for name, path in names.items():
        if path.is_dir() and not path.is_symlink() and not name.startswith((".", "_")):
            yield from _yamls(path)
        elif path.suffix == ".yaml" and path.is_file():
            yield path

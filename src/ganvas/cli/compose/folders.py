"""Where the user's own config groups lie, and the modules that they bring along."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded
from ganvas.files.plain import MAX_BYTES
from ganvas.files.read import open_regular

_MOST_FILES = 100_000  # below a folder of options


def check_config_dir(config_dir: str) -> Path:
    """The absolute path of the user's own folder.

    Raises:
        OptionError: ``--config-dir``: there is no such folder, a YAML in it is no regular file (Hydra would
            wait for a pipe) or a large one, or it holds more files than groups of options do.
    """
    folder = expanded(config_dir, "--config-dir")
    require(folder.is_dir(), "--config-dir", config_dir, "there is no such folder; name that of your YAMLs")
    count = 0
    for place, _, names in os.walk(folder):
        count += len(names)
        reason = f"holds more than {_MOST_FILES:,} files; name the folder of your YAMLs"
        require(count <= _MOST_FILES, "--config-dir", config_dir, reason)
        for name in names:
            if name.endswith((".yaml", ".yml")):
                _check_size(Path(place) / name)
    return folder.resolve()


def _check_size(path: Path) -> None:
    try:
        with open_regular(path) as file:
            large = os.fstat(file.fileno()).st_size > MAX_BYTES
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); mend or remove it"
        raise OptionError("--config-dir", path, reason) from error
    require(not large, "--config-dir", path, f"has more than {MAX_BYTES:,} bytes; it is no file of options")


def make_importable(config_dir: Path) -> None:
    """Lets a user's YAML name a module that lies beside it, in the config folder or beside that folder."""
    folders = {path.parent for path in config_dir.rglob("*.py")}
    for folder in [*sorted(folders), config_dir, config_dir.parent]:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # behind everything else: nothing is shadowed


def user_modules(config_dir: str | None) -> list[str]:
    """Names that ``--config-dir`` makes importable; users' own conf/ needs no leave.

    A file that is called as a module of Python's or of ours is not what an import of that name finds.
    """
    if config_dir is None:
        return []
    folder = expanded(config_dir, "--config-dir")
    beside = [path.stem for path in folder.resolve().parent.glob("*.py")]
    packages = [path.parent.name for path in folder.resolve().parent.glob("*/__init__.py")]
    inside = [path.stem for path in folder.rglob("*.py")]
    dotted = [".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")]
    taken = {*sys.stdlib_module_names, "ganvas", "torch", "pytorch_lightning"}
    return sorted(name for name in {*beside, *packages, *inside, *dotted} if name not in taken)

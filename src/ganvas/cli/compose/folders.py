"""Where config groups lie, packaged and the user's own, and the modules that the latter bring along."""

from __future__ import annotations

import sys
from pathlib import Path

from ganvas.errors import require


def packaged_conf() -> Path:
    """The folder of the packaged config groups: inside the wheel, or at the top of a checkout.

    There ``ganvas/conf`` is a link to it, for Hydra's ``initialize_config_module`` (some systems have none).
    """
    package = Path(__file__).resolve().parents[2]
    shipped = package / "conf"
    return shipped.resolve() if shipped.is_dir() else package.parents[1] / "conf"


def check_config_dir(config_dir: str) -> Path:
    """The absolute path of the user's own folder.

    Raises:
        OptionError: ``--config-dir``: there is no such folder.
    """
    folder = Path(config_dir)
    require(folder.is_dir(), "--config-dir", config_dir, "there is no such folder; name that of your YAMLs")
    return folder.resolve()


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
    folder = Path(config_dir)
    beside = [path.stem for path in folder.resolve().parent.glob("*.py")]
    packages = [path.parent.name for path in folder.resolve().parent.glob("*/__init__.py")]
    inside = [path.stem for path in folder.rglob("*.py")]
    dotted = [".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")]
    taken = {*sys.stdlib_module_names, "ganvas", "torch", "pytorch_lightning"}
    return sorted(name for name in {*beside, *packages, *inside, *dotted} if name not in taken)

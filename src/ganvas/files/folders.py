"""Folders as they are named: by ``~``, by the current folder, and where the packaged config groups lie."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from ganvas.errors import OptionError


def expanded(path: str | os.PathLike[str], option: str) -> Path:
    """A path in which ``~`` and ``~user`` at its beginning are home folders.

    The home folder of this process's user is ``$HOME``, or where that is unset, empty or no absolute path,
    what the system knows of the user.

    Args:
        option: what named the path: a key, a flag or a variable of the environment.

    Raises:
        OptionError: ``option``: there is no such user, or no home folder; or the path holds a NUL byte.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise OptionError(option, text.replace("\0", "?"), "holds a NUL byte; no file has such a name")
    if not text.startswith("~"):
        return Path(text)
    name, _, rest = text[1:].partition("/")
    home = _home(name)
    if home is None:
        whose = f"there is no user {name}" if name else "this user has no home folder; set HOME"
        raise OptionError(option, text, f"{whose}; write the folder out, or ./{text} for one of that name")
    return Path(home, rest)


def current_folder() -> Path:
    """The current folder.

    Raises:
        OptionError: ``PWD``: it was deleted.
    """
    try:
        return Path(os.getcwd())
    except OSError as error:
        shown = os.environ.get("PWD", "")
        raise OptionError("PWD", shown, "the current folder was deleted; cd to one that is there") from error


def packaged_conf() -> Path:
    """The folder of the packaged config groups: inside the wheel, or at the top of a checkout.

    There ``ganvas/conf`` is a link to it, for Hydra's ``initialize_config_module`` (some systems have none).
    """
    package = Path(__file__).resolve().parents[1]
    shipped = package / "conf"
    return shipped.resolve() if shipped.is_dir() else package.parents[1] / "conf"


def _home(name: str) -> str | None:
    """The home folder of a user, of this process's where ``name`` is empty; None where there is none."""
    own = os.environ.get("HOME", "")
    if not name and os.path.isabs(own):
        return own
    try:
        found = (pwd.getpwnam(name) if name else pwd.getpwuid(os.getuid())).pw_dir
    except (KeyError, ValueError):
        return None
    return found if os.path.isabs(found) else None

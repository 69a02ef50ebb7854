"""From the command line's overrides to plain values, by Hydra; errors in one line that name the key."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError
from ganvas.runtime.run_folder import new_folder_path


@dataclass(frozen=True)
class Composed:
    """A composed experiment.

    Attributes:
        config: plain values, all interpolations resolved.
        choices: group -> chosen option, e.g. ``{"model": "dcgan"}``.
        overrides: what the user wrote.
        origins: key -> the key that it takes its value from by interpolation.
    """

    config: dict[str, Any]
    choices: dict[str, str]
    overrides: list[str]
    origins: dict[str, str]

    def named_as_written(self, error: OptionError) -> OptionError:
        """The error with the key that the user can set: ``model.latent_dim``, not the part's copy of it."""
        option = error.option
        while option in self.origins:
            option = self.origins[option]
        return OptionError(option, "null" if error.value is None else error.value, error.reason)


def packaged_conf() -> Path:
    """The folder of the packaged config groups: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "conf"
    return shipped if shipped.is_dir() else package.parents[1] / "conf"


def make_importable(config_dir: Path) -> None:
    """Lets a user's YAML name a module that lies beside it, in the config folder or beside that folder."""
    folders = {path.parent for path in config_dir.rglob("*.py")}
    for folder in [*sorted(folders), config_dir, config_dir.parent]:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # behind everything else: nothing is shadowed


def register_resolvers() -> None:
    """The functions that the packaged YAMLs use inside ``${...}``."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("ganvas.length", len, replace=True)
    OmegaConf.register_new_resolver("ganvas.floordiv", lambda a, b: int(a) // int(b), replace=True)
    OmegaConf.register_new_resolver("ganvas.image_size", pick_image_size, replace=True)


def pick_image_size(native: int | None, allowed: Any) -> int | None:
    """The size at which data of a native size meets a model.

    Args:
        native: the data's own size in pixels; None for what is no picture.
        allowed: sizes that the model can make; ``any``; or ``multiple_of_4`` (any number).

    Returns:
        The native size where it is allowed, else the next larger, else the largest allowed one.
    """
    if native is None or allowed is None or allowed == "any":
        return native
    if isinstance(allowed, str) and allowed.startswith("multiple_of_"):
        step = int(allowed.rpartition("_")[2])
        return -(-native // step) * step
    larger = [size for size in allowed if size >= native]
    return min(larger) if larger else max(allowed)


@contextmanager
def hydra_session(config_dir: str | None) -> Iterator[Any]:
    """A Hydra object over the packaged groups and the user's own folder."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    search = create_config_search_path(f"file://{packaged_conf()}")
    if config_dir is not None:
        folder = Path(config_dir)
        if not folder.is_dir():
            raise OptionError(
                "--config-dir", config_dir, "there is no such folder; name the folder of your YAMLs"
            )
        # Before the packaged groups, so that a file of the same name shadows the packaged one.
        search.prepend("user", f"file://{folder.resolve()}")
        make_importable(folder.resolve())
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2("ganvas", search)
    finally:
        GlobalHydra.instance().clear()


def compose(
    overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "train"
) -> Composed:
    """Composes one experiment; ``paths.run_dir`` is named after it where the user named none.

    Raises:
        OptionError: an override that names no key or option (with the nearest one), or does not parse.
    """
    from hydra.types import RunMode
    from omegaconf import OmegaConf, open_dict
    from omegaconf.errors import OmegaConfBaseException

    with hydra_session(config_dir) as hydra:
        with composition_errors(hydra, overrides):
            config = hydra.compose_config(
                config_name, list(overrides), run_mode=RunMode.RUN, with_log_configuration=False
            )
        choices = {key: str(value) for key, value in config.hydra.runtime.choices.items()}
        choices = {key: value for key, value in choices.items() if not key.startswith("hydra/")}
        with open_dict(config):
            del config["hydra"]
        origins = _origins(OmegaConf.to_container(config, resolve=False))
        try:
            plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            if plain["paths"]["run_dir"] is None:
                config.paths.run_dir = str(new_folder_path(plain, choices))
                plain = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            key = getattr(error, "full_key", None) or "config"
            raise OptionError(str(key), "", f"cannot be resolved ({_first_line(error)})") from error
        except RecursionError as error:
            raise OptionError("config", "", "its interpolations form a cycle; break it") from error
    return Composed(plain, choices, list(overrides), origins)


def _origins(tree: Any, path: str = "") -> dict[str, str]:
    """Every key whose whole value is another key's: ``${model.latent_dim}``."""
    if not isinstance(tree, dict):
        source = re.fullmatch(r"\$\{([A-Za-z_][\w.]*)\}", tree) if isinstance(tree, str) else None
        return {path: source.group(1)} if source else {}
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= _origins(value, f"{path}.{key}".lstrip("."))
    return found


@contextmanager
def composition_errors(hydra: Any, overrides: Sequence[str]) -> Iterator[None]:
    """Turns Hydra's errors inside into one OptionError that names the override and the nearest valid one."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, hydra, overrides) from error


def explain(error: Exception, hydra: Any, overrides: Sequence[str]) -> OptionError:
    """What Hydra's exception means for the user."""
    text = str(error)
    by_key = {_key(override): override.partition("=")[2] for override in overrides}
    missing = re.search(r"Could not find '([^']+)'", text) or re.search(r"find config file '?([^'\n]+)", text)
    if missing:
        group, _, option = missing.group(1).rpartition("/")
        there = sorted(hydra.config_loader.get_group_options(group)) if group else []
        return OptionError(group or "config", option, "there is no such option" + _near(option, there))
    unknown = re.search(r"Could not override '([^']+)'", text)
    key = unknown.group(1) if unknown else next((key for key in by_key if key in text), None)
    if key is not None:
        key = key.partition("@")[0] if "@" in key and key not in by_key else key
        known = _known_keys(hydra)
        return OptionError(key, by_key.get(key, ""), "there is no such key or group" + _near(key, known))
    bad = next((override for override in overrides if override in text), None)
    key, _, value = (bad or "override").partition("=")
    return OptionError(
        key, value, f"cannot be read ({_first_line(error)}); write key=value, quote special characters"
    )


def _known_keys(hydra: Any) -> list[str]:
    """Every key and group of the default experiment."""
    from hydra.types import RunMode
    from omegaconf import DictConfig, OmegaConf

    config = hydra.compose_config("train", [], run_mode=RunMode.RUN, with_log_configuration=False)
    keys: list[str] = []

    def walk(node: Any, path: str) -> None:
        for name in node:
            full = f"{path}.{name}".lstrip(".")
            keys.append(full)
            child = node._get_node(name)
            if (
                isinstance(child, DictConfig)
                and not OmegaConf.is_missing(node, name)
                and not child._is_none()
            ):
                walk(child, full)

    walk(config, "")
    groups = [key for key in config.hydra.runtime.choices if not key.startswith("hydra/")]
    return [key for key in keys if not key.startswith("hydra.")] + groups


def _near(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close and "." in name:  # the right path under a wrong head, or the other way round
        tail = name.rpartition(".")[2]
        close = [key for key in known if key.rpartition(".")[2] == tail][:1]
    if close:
        return f"; did you mean {close[0]}?"
    return (
        "; there are: " + ", ".join(known)
        if 0 < len(known) < 25
        else "; ganvas train --help lists the groups"
    )


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def provenance(composed: Composed) -> dict[str, Any]:
    """Where a run came from: versions, command, overrides, git revision of the current folder."""
    import platform
    import subprocess
    import time
    from importlib.metadata import version

    import ganvas

    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        git = None
    return {
        "version": ganvas.__version__,
        "command": " ".join(["ganvas", *sys.argv[1:]]),
        "overrides": composed.overrides,
        "choices": composed.choices,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "git": git,
        "host": platform.node(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "pytorch-lightning", "hydra-core", "numpy")},
        "cwd": os.getcwd(),
    }

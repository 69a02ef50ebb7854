"""Hydra over the packaged groups and the user's own, with the functions that the packaged YAMLs use."""

from __future__ import annotations

import copy
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.resolvers import oc

from ganvas.cli.compose.folders import check_config_dir, make_importable
from ganvas.cli.compose.hydra_internals import (
    apply_overrides,
    compose_config,
    config_folders,
    is_group,
    open_hydra,
    parse_overrides,
)
from ganvas.errors import OptionError
from ganvas.files.folders import packaged_conf
from ganvas.files.plain import load_yaml
from ganvas.functional.sides import growing_sides
from ganvas.run.config.places import ALLOW

_MOST_BASES = 64  # configs that are kept, of a quarter of a megabyte each
_bases: OrderedDict[tuple[Any, ...], Any] = OrderedDict()


@contextmanager
def hydra_session(
    config_dir: str | None, *, packaged: Path | None = None, importable: bool = True
) -> Iterator[Any]:
    """A Hydra object over the packaged groups and the user's own, whose files shadow the packaged ones.

    Args:
        packaged: a copy of the packaged groups to read in their place.
        importable: whether code beside the user's YAMLs may be imported from now on.

    Raises:
        OptionError: ``--config-dir``: there is no such folder, or a YAML in it is beyond what can be read.
    """
    register_resolvers()
    users = None if config_dir is None else check_config_dir(config_dir)
    if users is not None:
        _check_yamls(users)
    if users is not None and importable:
        make_importable(users)
    with open_hydra(packaged or packaged_conf(), users) as hydra:
        yield hydra


def on_base(hydra: Any, name: str, overrides: Sequence[str], base_of: Callable[[Sequence[str]], Any]) -> Any:
    """A config of overrides, whose section ``hydra`` lists the choices of options alone.

    Hydra walks the defaults list for most of its time: here only where ``base_of`` does, for other choices.

    Args:
        base_of: gives the config of the choices; it stays as it is.
    """
    parsed = parse_overrides(overrides, hydra)
    if any(one.is_sweep_override() for one in parsed):
        return compose_config(hydra, name, overrides)  # which refuses it
    chosen = [is_group(hydra, one.key_or_group) for one in parsed]
    config = copy.deepcopy(base_of([str(one.input_line) for one, is_one in zip(parsed, chosen) if is_one]))
    apply_overrides(config, [one for one, is_one in zip(parsed, chosen) if not is_one])
    return config


def kept_base(hydra: Any, name: str, groups: Sequence[str]) -> Any:
    """The config of these choices of options, kept while the packaged groups stay as they are, for a process
    that composes many times (a notebook, tests); copy it before a change."""
    folders = config_folders(hydra)
    if len(folders) > 1:  # a user's own, which may be of any size
        return compose_config(hydra, name, groups)
    key = (name, *groups, *_state_of(folders))
    if key not in _bases:
        _bases[key] = compose_config(hydra, name, groups)
        if len(_bases) > _MOST_BASES:
            _bases.popitem(last=False)
    _bases.move_to_end(key)
    return _bases[key]


def _state_of(folders: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Path, time of change and size of each file in them."""
    found = []
    waiting = [str(folder) for folder in folders]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    state = entry.stat()
                    found.append((entry.path, state.st_mtime_ns, state.st_size))
    return sorted(found)


@contextmanager
def without_environment() -> Iterator[None]:
    """Inside, ``${oc.env:NAME}`` gives what the packaged groups read alone: config groups are of another's.

    Raises:
        ValueError: where another name is resolved (Hydra reports it by the key).
    """
    OmegaConf.register_new_resolver("oc.env", _packaged_variable, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _packaged_variable(name: str, *default: str | None) -> str | None:
    if name != "GANVAS_DATA":
        raise ValueError(f"the environment's {name} is not given to a stored sweep; {ALLOW} allows it")
    return oc.env(name, *default)


def _check_yamls(users: Path) -> None:
    """Reads the user's YAMLs of known groups before Hydra does, which has no limits; one that is no YAML is
    left to it, since it may not be asked for."""
    known = [path.name for path in packaged_conf().iterdir() if path.is_dir()]
    for path in [
        *users.glob("*.yaml"),
        *(path for name in known for path in users.glob(f"{name}/**/*.yaml")),
    ]:
        try:
            load_yaml(path, "--config-dir")
        except OptionError as error:
            if not isinstance(error.__cause__, yaml.MarkedYAMLError | yaml.YAMLError | UnicodeDecodeError):
                raise


def register_resolvers() -> None:
    """The functions that the packaged YAMLs use inside ``${...}``."""
    OmegaConf.register_new_resolver("ganvas.length", len, replace=True)
    OmegaConf.register_new_resolver("ganvas.floordiv", _floordiv, replace=True)
    OmegaConf.register_new_resolver("ganvas.times", _times, replace=True)
    OmegaConf.register_new_resolver("ganvas.sides", _sides, replace=True)
    OmegaConf.register_new_resolver("ganvas.classes", _classes, replace=True)
    OmegaConf.register_new_resolver("ganvas.image_size", pick_image_size, replace=True)


def _floordiv(a: Any, b: Any) -> int:
    """a / b, a whole number; 0, which every size refuses by its name, where b is 0."""
    if int(b) and int(a) % int(b):
        raise ValueError(f"{a} is not a multiple of {b}")
    return int(a) // int(b) if int(b) else 0


def _times(a: Any, b: Any) -> int:
    return int(a) * int(b)


def _sides(image_size: Any, reduction: Any) -> list[int]:
    """Sides of maps up to those of the encoder, the image's by ``reduction``; none for no image."""
    return growing_sides(-(-int(image_size or 0) // max(int(reduction), 1)))


def _classes(conditional: Any, num_classes: Any) -> Any:
    """The data's number of classes where the model is conditional, else None."""
    return num_classes if conditional else None


def pick_image_size(native: int | None, allowed: Any) -> int | None:
    """The size at which data of a native size meets a model.

    Args:
        native: the data's own size in pixels; None for what is no image.
        allowed: sizes that the model can make; ``any``; or ``multiple_of_4`` (any number).

    Returns:
        The native size where it is allowed, else the next larger, else the largest allowed one.
    """
    if native is None or allowed is None or allowed == "any":
        return native
    if isinstance(allowed, str) and allowed.startswith("multiple_of_"):
        step = int(allowed.rpartition("_")[2])
        return -(-native // step) * step
    larger: list[int] = [size for size in allowed if size >= native]
    return min(larger) if larger else int(max(allowed))

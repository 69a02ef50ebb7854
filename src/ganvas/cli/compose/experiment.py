"""From the command line's overrides to plain values, by Hydra; errors in one line that name the key."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ganvas.cli.compose.explain import composition_errors, unresolved, values_written
from ganvas.cli.compose.hydra_internals import compose_config
from ganvas.cli.compose.secrets import remember_environment
from ganvas.cli.compose.session import hydra_session, kept_base, on_base
from ganvas.cli.compose.unread import check_laid_aside, check_lists, recipes_own, value_at
from ganvas.errors import OptionError, require
from ganvas.files.folders import current_folder, expanded
from ganvas.files.plain import too_large
from ganvas.functional.instant import timestamp
from ganvas.run.folder.redact import redacted_override, remember
from ganvas.run.folder.run_folder import check_name, new_folder_path
from ganvas.run.folder.usable import NEEDS, Need, find_usable

NEEDED = {"model.init_from": Need(checkpoint=True), "data.tokenizer": NEEDS["codes"]}
_composed_before = itertools.count()  # how often this process has
_MAX_NAME, _MAX_PATH = 200, 3000  # bytes; file systems take 255 and 4096, and a run's files are below


@dataclass(frozen=True)
class Composed:
    """A composed experiment.

    Attributes:
        config: plain values, all interpolations resolved.
        choices: group -> chosen option, e.g. ``{"model": "dcgan"}``.
        overrides: what the user wrote.
        origins: key -> the keys that its interpolation reads.
        tree: the config with its interpolations as they are written.
    """

    config: dict[str, Any]
    choices: dict[str, str]
    overrides: list[str]
    origins: dict[str, list[str]]
    tree: dict[str, Any] = field(default_factory=dict)

    @property
    def allow_imports(self) -> list[str]:
        """The user's own modules that the config may name."""
        return list(self.config.get("allow_imports") or ())

    def named_as_written(self, error: OptionError) -> OptionError:
        """The error with the key and the value that the user wrote.

        ``model.latent_dim``, not the part's copy of it; where none was written, what the part's copy reads.
        """
        written = values_written(self.overrides)
        option = next((key for key in self._behind(error.option) if key in written), None)
        if option is None:
            option, seen = error.option, set()
            while len(self._sources(option)) == 1 and option not in seen:  # seen before: a cycle
                seen.add(option)
                (option,) = self._sources(option)
        group = option.rpartition(".")[0]
        if option not in written and written.get(group) == str(error.value):
            option = group  # accelerator=gpu chose accelerator.accelerator
        value = "null" if error.value is None else error.value
        if option in written and not str(value).startswith(written[option]):
            value = written[option] if len(written[option]) <= _MAX_NAME else f"{written[option][:40]}..."
        return OptionError(option, value, error.reason)

    def _sources(self, option: str) -> list[str]:
        """What the key, or the section that it lies in, is interpolated from."""
        head = option
        while head:
            if head in self.origins:
                return [source + option[len(head) :] for source in self.origins[head]]
            head = head.rpartition(".")[0]
        return []

    def _behind(self, option: str) -> list[str]:
        """The key and all that stand behind it, nearest first."""
        found = [option]
        for key in found:
            found += [source for source in self._sources(key) if source not in found]
        return found


def compose(
    overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "train"
) -> Composed:
    """Composes one experiment; ``paths.run_dir`` is named after it where the user named none.

    Raises:
        OptionError: an override that names no key or option (with the nearest one), or does not parse.
    """
    with hydra_session(config_dir) as hydra:
        with composition_errors(hydra, overrides):
            config = _composed_by_hydra(hydra, config_name, overrides)
        return composed(config, overrides)


def _composed_by_hydra(hydra: Any, name: str, overrides: Sequence[str]) -> Any:
    if not next(_composed_before):  # most processes compose once, and what is kept would serve nobody
        return compose_config(hydra, name, overrides)
    return on_base(hydra, name, overrides, partial(kept_base, hydra, name))


def composed(
    config: Any, overrides: Sequence[str], *, is_job: bool = False, awaited: Collection[str] = ()
) -> Composed:
    """Hydra's config as plain values, checked; ``config`` is changed.

    Args:
        is_job: whether it is one of a sweep's.
        awaited: texts that stand for runs which are not there yet.

    Raises:
        OptionError: what cannot be resolved, or is of another shape than its readers take.
    """
    choices, written = _choices(config), values_written(overrides)
    with open_dict(config):
        for key in of_other_parts(config, overrides):
            section, _, name = key.rpartition(".")
            del OmegaConf.select(config, section)[name]
        del config["hydra"]
    unresolved_config: Any = OmegaConf.to_container(config, resolve=False)
    _check_groups(unresolved_config, choices, written)
    check_lists(unresolved_config, written)
    check_laid_aside(unresolved_config, written)
    origins = _origins(unresolved_config)
    remember_environment(unresolved_config)
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        remember(plain)
        if (large := too_large(plain)) is not None:
            raise OptionError(*large, "is beyond 64 bits; write a smaller number")
        for section in ("paths", "data", "model", "trainer", "accelerator"):
            require(isinstance(plain.get(section), dict), section, "null", "is needed; leave it alone")
        place = plain["paths"]["output_dir"]
        require(isinstance(place, str), "paths.output_dir", place, "must be a folder, e.g. ./outputs")
        for name in ("output_dir", "run_dir"):
            place = plain["paths"].get(name)
            if isinstance(place, str) and place.startswith("~"):
                config.paths[name] = str(expanded(place, f"paths.{name}"))
                plain = OmegaConf.to_container(config, resolve=True)
        check_name(plain.get("name"))
        _check_shapes(plain)
        for key in ("name", "paths.output_dir", "paths.run_dir", "resume"):
            _check_text(key, plain["paths"][key[6:]] if "." in key else plain.get(key))
        if plain["paths"]["run_dir"] is None:
            config.paths.run_dir = str(new_folder_path(plain, choices))
            plain = OmegaConf.to_container(config, resolve=True)
        _settle_runs(plain, is_job=is_job, awaited=awaited)
        for group in ("callback", "logger"):  # null switches one of them off
            plain[group] = {name: node for name, node in (plain.get(group) or {}).items() if node}
    except OmegaConfBaseException as error:
        named = Composed({}, {}, list(overrides), origins).named_as_written
        raise named(unresolved(error, overrides, unresolved_config)) from error
    except OptionError as error:
        raise Composed({}, {}, list(overrides), origins).named_as_written(error) from error
    except RecursionError as error:
        raise OptionError("config", "", "its interpolations form a cycle; break it") from error
    return Composed(plain, choices, list(overrides), origins, unresolved_config)


def _choices(config: Any) -> dict[str, str]:
    """Group -> chosen option of Hydra's config."""
    return {
        key: str(value)
        for key, value in config.hydra.runtime.choices.items()
        if not key.startswith("hydra/") and not (value is None and key.startswith("model/schedule@"))
    }


def of_other_parts(config: Any, overrides: Sequence[str]) -> list[str]:
    """Keys of Hydra's config that the recipe sets for another part than the chosen one; they go with that."""
    written, own = values_written(overrides), recipes_own(_choices(config))
    there = {key: OmegaConf.select(config, key) for key in own if key not in written}
    return [key for key, value in there.items() if value == own[key]]


def _settle_runs(plain: dict[str, Any], *, is_job: bool, awaited: Collection[str]) -> None:
    """Makes of each RUN that an option names the path of its folder: what is newest changes."""
    for option, need in NEEDED.items():
        section, _, key = option.partition(".")
        written = plain[section].get(key)
        if written is None or written in awaited:
            continue
        _check_text(option, written)
        name = str(written)
        moves = is_job and name.partition(":")[0] == "latest"
        require(not moves, option, name, "may be another job of this sweep; name the run")
        try:
            found = find_usable(name, Path(plain["paths"]["output_dir"]), need)
        except OptionError as error:
            raise OptionError(option, error.value, error.reason) from error
        plain[section][key] = os.path.abspath(found.path)


def _check_groups(tree: Any, choices: Mapping[str, str], written: Mapping[str, str]) -> None:
    """No word stands where a group's option puts a section: ``model.quantizer=fsq`` chooses nothing."""
    for group in choices:
        kind, _, place = group.partition("@")
        key = place or kind.replace("/", ".")
        value = value_at(tree, key)
        if not isinstance(value, str) or "${" in value or "." not in key:
            continue
        how = f"{group}={value}" if key in written else f"- override /{group}: {value}, in the defaults list"
        require(False, key, value, f"is the place of a section; an option of a group is chosen by {how}")


def _check_shapes(plain: dict[str, Any]) -> None:
    """The entries that no constructor binds are of the kind that their readers take."""
    for group in ("callback", "logger"):
        entries = plain.get(group)
        require(entries is None or isinstance(entries, dict), group, entries, "must be a section, or none")
        for name, node in (entries or {}).items():
            reason = "must be a section with a _target_; write one into your --config-dir, or leave it out"
            require(node is None or isinstance(node, dict), f"{group}.{name}", node, reason)
    seed = plain.get("seed", 0)  # again in ganvas.run.prepare, which imports torch: this names the folder
    is_seed = isinstance(seed, int) and 0 <= seed < 2**63
    require(is_seed, "seed", "null" if seed is None else seed, "must be a whole number in [0, 2^63)")
    modules = plain.get("allow_imports")
    listed = modules is None or (isinstance(modules, list) and all(isinstance(one, str) for one in modules))
    require(listed, "allow_imports", modules, "must be a list of modules, e.g. [my_module]")
    drift = plain.get("allow_drift")
    require(drift in (None, True, False), "allow_drift", drift, "must be true or false")


def _check_text(key: str, value: Any) -> None:
    """A name that a file system can take, or null. An empty one is an unset variable of the shell's."""
    if value is None:
        return
    text = str(value)
    named = isinstance(value, str) or (type(value) is int and not key.startswith("paths."))
    require(named, key, value, "must be the name of a folder")
    require(text != "", key, "", "is empty; give a name, or leave it out")
    short = len(os.fsencode(text)) <= _MAX_PATH
    short = short and all(len(os.fsencode(part)) <= _MAX_NAME for part in Path(text).parts)
    reason = f"is too long; a name has at most {_MAX_NAME} bytes, a path {_MAX_PATH}"
    require(short, key, f"{text[:40]}...", reason)


def _origins(tree: Any, path: str = "") -> dict[str, list[str]]:
    """Every key that reads others: ``${model.latent_dim}``, ``${ganvas.length:${.levels}}``."""
    if not isinstance(tree, dict):
        names = re.findall(r"\$\{(\.?[A-Za-z_][\w.]*)\}", tree) if isinstance(tree, str) else []
        section = path.rpartition(".")[0]
        return {path: [section + name if name[0] == "." else name for name in names]} if names else {}
    found: dict[str, list[str]] = {}
    for key, value in tree.items():
        found |= _origins(value, f"{path}.{key}".lstrip("."))
    return found


def provenance(composed: Composed, command: str | None = None) -> dict[str, Any]:
    """Where a run came from: versions, command, overrides, git revision of the current folder.

    Args:
        command: None takes this process's command line.
    """
    import platform
    import subprocess
    from importlib.metadata import version

    from ganvas.version import __version__

    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        git = None
    return {
        "version": __version__,
        "command": command or shlex.join(["ganvas", *map(redacted_override, sys.argv[1:])]),
        "overrides": composed.overrides,
        "choices": composed.choices,
        "created": timestamp(),
        "git": git,
        "host": platform.node(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "pytorch-lightning", "hydra-core", "numpy")},
        "cwd": str(current_folder()),
    }

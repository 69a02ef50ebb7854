"""What ganvas needs of Hydra and Hydra does not offer publicly: here and nowhere else, each with its reason.

``pyproject.toml`` therefore holds hydra-core below 1.4. tests/test_architecture.py checks that no other file
imports ``hydra._internal`` or ``hydra.core``, or reads an attribute that begins with an underscore.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from hydra.types import RunMode

from ganvas.errors import OptionError, require
from ganvas.files.plain import check_word

__all__ = [
    "IntervalSweep",
    "RangeSweep",
]  # they tell what :func:`sweep_of` returns; Hydra exports them nowhere

_LONGEST_WORD = 131_072  # letters; Linux takes no longer one
_LONGEST_KEY = 250  # letters; Hydra looks for a file of this name, and file systems take 255


@contextmanager
def open_hydra(packaged: Path, users: Path | None) -> Iterator[Hydra]:
    """A Hydra object over two folders of config groups; what ``users`` holds shadows what ``packaged`` does.

    ``hydra.initialize_config_dir`` takes one folder, and ``hydra.searchpath`` only adds behind it.
    """
    search = create_config_search_path(f"file://{packaged.resolve()}")
    if users is not None:
        search.prepend("user", f"file://{users.resolve()}")
    users_own = GlobalHydra.instance().hydra  # of a Python program that composes with Hydra itself
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2("ganvas", search)
    finally:
        GlobalHydra.instance().hydra = users_own


def config_folders(hydra: Hydra, provider: str | None = None) -> list[Path]:
    """The folders of config groups, the user's first, or those of one provider (``user``)."""
    entries = hydra.config_loader.get_search_path().get_path()
    paths = [entry.path for entry in entries if provider in (None, entry.provider)]
    return [Path(path.removeprefix("file://")) for path in paths if path.startswith("file://")]


def compose_config(hydra: Hydra, name: str, overrides: Sequence[str], *, multirun: bool = False) -> Any:
    """The config with its section ``hydra``; ``hydra.compose`` knows no multirun and one global session."""
    check_words(overrides)
    mode = RunMode.MULTIRUN if multirun else RunMode.RUN
    return hydra.compose_config(name, list(overrides), run_mode=mode, with_log_configuration=False)


def is_group(hydra: Any, key: str) -> bool:
    """Whether an override of this key chooses an option; the public ``get_group_options`` says less: a group
    may hold nothing but further groups."""
    return bool(key) and hydra.config_loader.repository.group_exists(key.partition("@")[0])


def parse_overrides(overrides: Sequence[str], hydra: Hydra | None = None) -> list[Any]:
    """Words in Hydra's grammar; ``glob(*)`` needs the ``hydra`` whose groups it lists.

    Hydra has no public parser, though its page on plugins tells authors to use this one.
    """
    check_words(overrides)
    loader = None if hydra is None else hydra.config_loader
    return OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))


def check_words(overrides: Sequence[str]) -> None:
    """Raises OptionError for a word that would take Hydra's parser, or a file system, beyond their limits."""
    for word in overrides:
        key, _, value = word.partition("=")
        require(len(value) <= _LONGEST_WORD, key, value, "is longer than a command line takes; write less")
        require(len(key) <= _LONGEST_KEY, key, value[:40], "is longer than any key; write a shorter one")
        try:
            check_word(value)
        except ValueError as error:
            raise OptionError(key, value, f"{error}; write a smaller value") from error


def sweep_of(parsed: Any) -> Any:
    """The IntervalSweep, RangeSweep or ChoiceSweep of an override; its public ``value()`` refuses sweeps."""
    return parsed._value


def apply_overrides(config: Any, parsed: Sequence[Any]) -> None:
    """Sets parsed ``key=value`` overrides in a composed config, as composing does.

    So a sweep walks the defaults list, which takes most of the time, once for each choice of options.
    """
    ConfigLoaderImpl._apply_overrides_to_config(list(parsed), config)


def complete_override(hydra: Hydra, name: str, chosen: Sequence[str], word: str) -> list[str]:
    """What a word may become behind the overrides ``chosen``; Hydra offers it to shells' plugins alone."""
    found = BashCompletion(hydra.config_loader)._query(name, " ".join([*chosen, word]))
    return [str(one) for one in found]


def command_line_parser() -> ArgumentParser:
    """Hydra's own, which its ``main`` makes anew: ganvas refuses what it does not know in its own words."""
    return get_args_parser()


def command_line_flags() -> set[str]:
    """Every flag of Hydra's; argparse has no public list."""
    return {flag for action in get_args_parser()._actions for flag in action.option_strings}

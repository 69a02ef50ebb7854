"""``ganvas options [GROUP[=OPTION]]``: config groups, and the options of one with keys and defaults."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser
from ganvas.cli.compose.describe import (
    Described,
    comments_of,
    defaults_of,
    described,
    file_of,
    groups,
    headline,
    lines,
    places,
)
from ganvas.cli.compose.folders import check_config_dir
from ganvas.cli.compose.nearest import near
from ganvas.cli.compose.unread import leaf_keys, unread, value_at
from ganvas.errors import OptionError
from ganvas.files.text import say, say_page
from ganvas.run.config.allowed import RESERVED


def run(argv: Sequence[str]) -> int:
    """Prints; writes nothing."""
    parser = Parser(prog="ganvas options", description=__doc__)
    parser.add_argument(
        "group",
        metavar="GROUP",
        nargs="*",
        help="e.g. model/quantizer; model/quantizer=fsq for one option",
    )
    parser.add_argument("--config-dir", "-cd", help="where your own groups lie")
    arguments = parser.parse_args(list(argv))
    if arguments.config_dir is not None:
        check_config_dir(arguments.config_dir)
    there = groups(arguments.config_dir)
    if not arguments.group:
        for group, options in there.items():
            say(f"{group:28} {', '.join(options)}")
        return 0
    for number, word in enumerate(arguments.group):
        if number:
            say()
        _print(word, there, arguments.config_dir)
    return 0


def _print(word: str, there: dict[str, list[str]], config_dir: str | None) -> None:
    group, _, option = word.strip("/").partition("=")
    group = group.partition("@")[0]
    head, _, tail = group.rpartition("/")
    if group not in there and not option and tail in there.get(head, ()):  # model/quantizer/fsq
        group, option = head, tail
    if group not in there:
        raise OptionError("GROUP", word, f"there is no such group{near(group, list(there))}")
    if option and option not in there[group]:
        raise OptionError(group, option, f"there is no such option{near(option, there[group])}")
    where = places(group)
    say(f"{group}: {', '.join(there[group])}")
    if where != [group.replace("/", ".")]:
        say("chosen by " + ", ".join(f"{group}@{place}=..." for place in where))
    for name in [option] if option else there[group]:
        path = file_of(group, name, config_dir)
        if path is not None:
            say_page(f"\n{group}={name}  {headline(path)}".rstrip())
            _print_file(path, where[0])


def _print_file(path: Path, place: str) -> None:
    is_global = "@package _global_" in path.read_text(encoding="utf-8", errors="replace")
    head = "" if is_global else place.replace(".", "/")
    parts = [_said(one, head) for one in defaults_of(path) if one != "_self_"]
    if parts:
        say(f"  made of: {', '.join(parts)}")
    rows = described(path)
    shown = [row if is_global else Described(f"{place}.{row.key}", row.value, row.comment) for row in rows]
    for line in lines(shown):
        say(line)


def _said(entry: object, head: str) -> str:
    """An entry of a defaults list, as an override; ``head`` is the group that it lies in."""
    if not isinstance(entry, dict):
        return str(entry).lstrip("/")
    said = []
    for name, option in entry.items():
        group, _, place = str(name).removeprefix("override ").partition("@")
        group = group.lstrip("/") if group[:1] == "/" or not head else f"{head}/{group}"
        place = f"{head.replace('/', '.')}.{place}" if place and head else place
        said.append(f"{group}@{place}={option}" if place else f"{group}={option}")
    return ", ".join(said)


def print_experiment(overrides: Sequence[str], *, config_dir: str | None, config_name: str) -> None:
    """``ganvas train --help model=dcgan``: the parts and keys of the sections that the overrides are about.

    Raises:
        OptionError: an override that does not compose.
    """
    from ganvas.cli.compose.experiment import compose
    from ganvas.cli.compose.explain import key_of

    composed = compose(overrides, config_dir=config_dir, config_name=config_name)
    chosen = [(*_place_of(group), option) for group, option in composed.choices.items() if option != "None"]
    chosen.reverse()
    chosen.sort(key=lambda one: one[0].count("/"))  # what a recipe says of its parts goes after the parts
    files = [("", config_name, ""), *((group, option, place) for group, place, option in chosen)]
    comments = comments_of(files, config_dir)
    there = groups(config_dir)
    sections = dict.fromkeys(re.split(r"[@/.]", key_of(word))[0] for word in overrides)
    if not sections.keys().isdisjoint(("experiment", "debug")):
        sections = dict.fromkeys(("model", "data", "trainer", "callback"))
    keys = [key for key in leaf_keys(composed.tree) if key.rpartition(".")[2] not in RESERVED]
    passed_over = set(unread(composed.tree, keys))
    for section in sections:
        shown = [key for key in keys if key.partition(".")[0] == section and key not in passed_over]
        said = {key: _with_source(comments.get(key, ""), value_at(composed.tree, key)) for key in shown}
        rows = [Described(key, value_at(composed.config, key), said[key]) for key in shown]
        say_page(f"\n{section}")
        for group, place, option in chosen:
            if group.partition("/")[0] == section:
                name = group if place == group.replace("/", ".") else f"{group}@{place}"
                others = [other for other in there.get(group, []) if other != option]
                say(f"  {name}={option}" + (f"  (or {', '.join(others)})" if others else ""))
        for line in lines(rows):
            say(line)


def _place_of(choice: str) -> tuple[str, str]:
    group, _, place = choice.partition("@")
    return group, place or group.replace("/", ".")


def _with_source(comment: str, written: object) -> str:
    """The comment, and the key that the default is taken from."""
    source = re.fullmatch(r"\$\{([\w.]+)\}", written) if isinstance(written, str) else None
    return f"{comment} (= {source.group(1)})".strip() if source else comment

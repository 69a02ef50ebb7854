"""What the YAMLs say of their options: keys with defaults and comments, read off the files without Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ganvas.files.folders import packaged_conf
from ganvas.files.plain import load_yaml
from ganvas.run.config.allowed import RESERVED

_LINE = re.compile(
    r"(?P<indent> *)(?P<key>[A-Za-z_][\w\-]*):(?P<value>(?: (?!#).*?)?)(?: +#\s*(?P<comment>.*))?$"
)
PIPELINES = "pipeline"  # the folder beside the groups that holds no options of an experiment
_HIDDEN = {*RESERVED, "defaults"}


@dataclass(frozen=True)
class Described:
    """A key of a YAML.

    Attributes:
        key: with dots, from the file's top.
        value: its default as it is written.
        comment: what stands behind it; empty where nothing does.
    """

    key: str
    value: Any
    comment: str


def folders(config_dir: str | None) -> list[Path]:
    """Where groups lie, the user's own first."""
    return [*([Path(config_dir)] if config_dir else []), packaged_conf()]


def groups(config_dir: str | None = None) -> dict[str, list[str]]:
    """Group -> its options, in the order of the alphabet."""
    found: dict[str, set[str]] = {}
    for folder in folders(config_dir):
        for path in folder.glob("**/*/*.yaml"):
            found.setdefault(path.parent.relative_to(folder).as_posix(), set()).add(path.stem)
    options = {group: names for group, names in found.items() if group.partition("/")[0] != PIPELINES}
    return {group: sorted(names) for group, names in sorted(options.items())}


def pipelines(config_dir: str | None = None) -> list[str]:
    """Names of the pipelines that there are."""
    return sorted(
        {path.stem for folder in folders(config_dir) for path in (folder / PIPELINES).glob("*.yaml")}
    )


def file_of(group: str, option: str, config_dir: str | None = None) -> Path | None:
    """The YAML of an option; the user's own shadows the packaged one."""
    paths = (folder / group / f"{option}.yaml" for folder in folders(config_dir))
    return next((path for path in paths if path.is_file()), None)


def headline(path: Path) -> str:
    """The comment at the file's top, in one line."""
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def described(path: Path) -> list[Described]:
    """The keys of a YAML that hold values, in their order."""
    tree = load_yaml(path, "--config-dir")
    comments = dict(_comments(path.read_text(encoding="utf-8")))
    return [
        Described(key, value, comments.get(key, ""))
        for key, value in _values(tree)
        if not _HIDDEN.intersection(key.split("."))
    ]


def defaults_of(path: Path) -> list[Any]:
    """The file's defaults list."""
    tree = load_yaml(path, "--config-dir")
    found = tree.get("defaults") if isinstance(tree, dict) else None
    return found if isinstance(found, list) else []


def _values(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items() if isinstance(tree, dict) else ():
        full = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict) and value:
            yield from _values(value, full)
        else:
            yield full, value


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """Key with dots -> the comment on its line."""
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        indent = len(found["indent"])
        above = [(deep, name) for deep, name in above if deep < indent]
        above.append((indent, found["key"]))
        if found["comment"]:
            yield ".".join(name for _, name in above), found["comment"].strip()


def comments_of(choices: Sequence[tuple[str, str, str]], config_dir: str | None) -> dict[str, str]:
    """Key -> comment, of an experiment.

    Args:
        choices: (group, option, where it is put), e.g. ``("model/optimizer", "adam", "model.optimizer")``.
    """
    found: dict[str, str] = {}
    for group, option, place in choices:
        path = file_of(group, option, config_dir) if group else packaged_conf() / f"{option}.yaml"
        if path is None or not path.is_file():
            continue
        inner = [one for one in defaults_of(path) if isinstance(one, str) and one != "_self_"]
        if group:
            found |= comments_of([(group, one, place) for one in inner], config_dir)
        text = path.read_text(encoding="utf-8")
        head = "" if "@package _global_" in text else place
        found |= {f"{head}.{key}".lstrip("."): comment for key, comment in _comments(text)}
    return found


def places(group: str) -> list[str]:
    """Where the options of a group are put in a config, by the packaged recipes: an optimizer has several."""
    head, _, part = group.rpartition("/")
    found: list[str] = []
    for path in sorted((packaged_conf() / head).glob("*.yaml")) if head else ():
        for one in defaults_of(path):
            for name in one if isinstance(one, dict) else ():
                base, _, place = str(name).removeprefix("override ").partition("@")
                if base == part:
                    found.append(f"{head.replace('/', '.')}.{place or part}")
    return sorted(dict.fromkeys(found)) or [group.replace("/", ".")]


def shown(value: Any) -> str:
    """A default as it would be written on the command line."""
    if isinstance(value, str):
        return value or '""'
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def lines(rows: Sequence[Described], width: int = 110) -> list[str]:
    """``key=default  # comment``, aligned; a long comment goes on below."""
    import textwrap

    left = [f"  {row.key}={shown(row.value)}" for row in rows]
    column = min(max((len(text) for text in left), default=0), 52) + 2
    made: list[str] = []
    for text, row in zip(left, rows, strict=True):
        pieces = textwrap.wrap(row.comment, max(30, width - column - 2)) or [""]
        first = [text] if len(text) >= column and row.comment else []
        head = "" if first else text
        made += first
        made.append((f"{head:{column}}# {pieces[0]}" if row.comment else text).rstrip())
        made += [f"{'':{column}}# {piece}" for piece in pieces[1:]]
    return made

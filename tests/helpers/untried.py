"""Which options no case of a suite chooses, so that a new one cannot be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

_CONF = Path(__file__).parents[2] / "conf"
_CHOICE = re.compile(r"(model/\w+)(?:@[\w.]+)?=\[?([\w,]+)\]?")


def untried(groups: Iterable[str], cases: Iterable[Sequence[str]]) -> list[str]:
    """``group=option`` of all options in conf/ that no case chooses, by a word or as its model's default.

    Args:
        groups: e.g. ``model/head``.
        cases: words of the command line.
    """
    chosen = {choice for words in cases for choice in _choices(words)}
    there = [f"{group}={path.stem}" for group in groups for path in sorted((_CONF / group).glob("*.yaml"))]
    return [one for one in there if one not in chosen and not one.endswith("=none")]


def _choices(words: Sequence[str]) -> Iterator[str]:
    written = set()
    for group, options in (match.groups() for word in words if (match := _CHOICE.fullmatch(word))):
        written.add(group)
        yield from (f"{group}={option}" for option in options.split(","))
    (model,) = (word.removeprefix("model=") for word in words if word.startswith("model="))
    for default in yaml.safe_load((_CONF / f"model/{model}.yaml").read_text())["defaults"]:
        for group, option in default.items() if isinstance(default, dict) else ():
            if (path := f"model/{group.partition('@')[0]}") not in written:
                yield f"{path}={option}"

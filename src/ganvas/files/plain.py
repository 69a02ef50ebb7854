"""YAML and JSON read as data that may come from anyone: plain values within limits, or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ganvas.errors import OptionError
from ganvas.files.read import read_bytes

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml: the same values, more slowly
    from yaml import SafeLoader  # type: ignore[assignment]  # the same class in Python

MAX_BYTES = 4_000_000  # of a file; a run.yaml has some 6,000
MAX_DEPTH = 64
MAX_EVENTS = 100_000  # values, keys, and beginnings and ends of sections
_PLAIN = (str, bool, int, float, type(None))
_LEAST, _MOST = -(2**63), 2**64 - 1  # of whole numbers; larger ones overflow a float, or cannot be printed
_MOST_DIGITS = 20
# What a JSON text is looked through for, since most have none of it: a long number, half a surrogate pair.
_SUSPECT = re.compile(r"[0-9]{20}|\\u[dD]|[\ud800-\udfff]")
_MOST_DIGITS_WRITTEN = 4000  # of one number in a word of a command line; int() takes 4300
_LONG_NUMBER = re.compile(rf"[0-9][0-9_]{{{_MOST_DIGITS_WRITTEN},}}")


class _Loader(SafeLoader):
    """YAML's own values alone; what looks like a date stays text."""

    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """A list that stands in two places is written twice: what is read back refuses aliases."""
        return True


def parse_plain(text: str) -> Any:
    """The value of a YAML text, as :func:`load_plain` takes it.

    Raises:
        ValueError: it is none, too deep, or holds more than plain values.
    """
    try:
        _check_events(text)
        value = yaml.load(text, Loader=_Loader)
        _check_plain(value)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from error
    return value


def load_plain(path: Path, option: str) -> Any:
    """The value that a YAML file holds: dicts with text for keys, lists, text, numbers, booleans and null.

    Raises:
        OptionError: the option, with the file's name: unreadable, no YAML, too large, too deep, or anything
            beyond plain values: tags, anchors, aliases (a few lines of them stand for terabytes).
    """
    try:
        return parse_plain(read_bytes(path, MAX_BYTES).decode())
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise OptionError(option, path, f"{path.name} cannot be read ({reason}); put a copy back") from error


def load_yaml(path: Path, option: str) -> Any:
    """The value of a YAML file of the user's own, in which anchors may stand.

    Raises:
        OptionError: the option, with the file's name: unreadable, no YAML, too deep, or too large once each
            alias is what it stands for; a circle of aliases too.
    """
    try:
        text = read_bytes(path, MAX_BYTES).decode()
        node = yaml.compose(text, Loader=SafeLoader)
        if node is not None and _size(node, {}, 1) > MAX_EVENTS:
            raise ValueError("it holds too many values, its aliases written out")
        return yaml.load(text, Loader=SafeLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        deep = f"it is more than {MAX_DEPTH} levels deep"
        reason = deep if isinstance(error, RecursionError) else " ".join(str(error).split())[:200]
        raise OptionError(option, path, f"{path.name} cannot be read ({reason}); mend the file") from error


def check_word(text: str) -> None:
    """Looks at a value of a command line before a grammar reads it.

    Raises:
        ValueError: its brackets are more than :data:`MAX_DEPTH` deep, or a number has thousands of digits.
    """
    if _LONG_NUMBER.search(text):
        raise ValueError(f"holds a number of more than {_MOST_DIGITS_WRITTEN} digits")
    if sum(map(text.count, "[{(")) > MAX_DEPTH:
        depth = 0
        for letter in text:
            depth += (letter in "[{(") - (letter in "]})")
            if depth > MAX_DEPTH:
                raise ValueError(f"is more than {MAX_DEPTH} levels deep")


def too_large(tree: Any, path: str = "") -> tuple[str, str] | None:
    """The dotted key of a whole number beyond 64 bits in a tree of plain values, and the number as text."""
    if isinstance(tree, dict | list):
        pairs: Iterable[tuple[Any, Any]] = tree.items() if isinstance(tree, dict) else enumerate(tree)
        found = (too_large(value, f"{path}.{key}".lstrip(".")) for key, value in pairs)
        return next((one for one in found if one is not None), None)
    if not isinstance(tree, int) or _LEAST <= tree <= _MOST:
        return None
    return path, str(tree) if tree.bit_length() < _MOST_DIGITS_WRITTEN else hex(tree)


def dump_plain(value: Any) -> str:
    """Plain values as YAML that :func:`load_plain` takes."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON text within the limits of this file, but for its size.

    Raises:
        ValueError: it is none, too deep, or holds a whole number beyond 64 bits or half a surrogate pair.
    """
    text = content if isinstance(content, str) else content.decode("utf-8-sig")
    try:
        if _SUSPECT.search(text):
            value = json.loads(text, parse_int=_whole_number)
            _check_plain(value)
        else:
            value = json.loads(text)
            if text.count("{") + text.count("[") > MAX_DEPTH:
                _check_depth(value)
    except RecursionError as error:
        raise ValueError(f"it is more than {MAX_DEPTH} levels deep") from error
    return value


def load_json(path: Path, most: int = MAX_BYTES) -> Any:
    """The value of a JSON file.

    Args:
        most: bytes that it may have.

    Raises:
        OSError: it is not there, no regular file, too large, or cannot be read.
        ValueError: see :func:`parse_json`.
    """
    return parse_json(read_bytes(path, most))


def load_object(path: Path) -> dict[str, Any]:
    """The JSON object that a file holds, or an empty dict where it holds none."""
    try:
        value = load_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _whole_number(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"it holds a whole number of {len(text)} digits")
    return int(text)


def _size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many values a node holds, those behind aliases counted each time."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if known.get(id(node)) == 0:
        raise ValueError("an alias in it leads back to where it stands")
    if depth > MAX_DEPTH:
        raise ValueError(f"it is more than {MAX_DEPTH} levels deep")
    if id(node) not in known:
        known[id(node)] = 0  # being counted
        pairs = isinstance(node, yaml.MappingNode)
        inner = [one for pair in node.value for one in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_size(one, known, depth + 1) for one in inner)
    return known[id(node)]


def _check_depth(value: Any) -> None:
    """Level by level: nothing is called for each of the values of a large file."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for values in inner for one in values if isinstance(one, dict | list)]
        if not level:
            return
    raise ValueError(f"it is more than {MAX_DEPTH} levels deep")


def _check_events(text: str) -> None:
    """Looks at what the parser meets, one event at a time, before anything is made of it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ValueError("it holds an anchor or an alias")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ValueError(f"it holds the tag {tag}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is more than {MAX_DEPTH} levels deep")
        if count > MAX_EVENTS:
            raise ValueError("it holds too many values")


def _check_plain(value: Any, depth: int = 0) -> None:
    if depth >= MAX_DEPTH and isinstance(value, dict | list):
        raise ValueError(f"it is more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"its key {key!r} is no text")
            key.encode()
            _check_plain(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, depth + 1)
    elif isinstance(value, str):
        value.encode()  # half a surrogate pair could be printed nowhere
    elif isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise ValueError("it holds a whole number beyond 64 bits")
    elif not isinstance(value, _PLAIN):
        raise ValueError(f"it holds a {type(value).__name__}")

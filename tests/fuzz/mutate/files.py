"""Damage to a file by its kind: its values, its bytes, or what stands in its place."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

from mutate import place, plain, raw


def damage_json(path: Path, draws: random.Random) -> None:
    """A file with one JSON value."""
    if _is_other(path, draws):
        return
    path.write_text(dumps(plain.damaged(json.loads(path.read_text()), draws), draws))


def damage_lines(path: Path, draws: random.Random) -> None:
    """A file with a JSON value a line."""
    if _is_other(path, draws):
        return
    rows: list[Any] = [json.loads(line) for line in path.read_text().splitlines()]
    if draws.random() < 0.3:
        rows = draws.choice((rows[::-1], rows * 3, rows[:1], [], [*rows, plain.odd_value(draws)]))
    lines = [dumps(row, draws) for row in rows]
    for _ in range(draws.choice((1, 1, 2))):
        if rows:
            at = draws.randrange(len(rows))
            lines[at] = dumps(plain.damaged(rows[at], draws), draws)
    path.write_text("\n".join(lines) + draws.choice(("\n", "\n", "")))


def damage_yaml(path: Path, draws: random.Random) -> None:
    """A YAML file."""
    if _is_other(path, draws):
        return
    tree = plain.damaged(yaml.safe_load(path.read_text()), draws)
    try:
        text = yaml.safe_dump(tree, sort_keys=False).replace(f"'{plain.DIGITS}'", "9" * 5000)
        path.write_text(text)
    except (ValueError, RecursionError, yaml.YAMLError):  # half a pair, too deep
        path.write_text(dumps(tree, draws))  # JSON is YAML, but for its infinities


def damage_bytes(path: Path, draws: random.Random) -> None:
    """Any file."""
    if draws.random() < 0.1:
        place.replaced(path, draws)
    else:
        path.write_bytes(raw.damaged(path.read_bytes(), draws))


def dumps(value: Any, draws: random.Random) -> str:
    """JSON; sometimes a key stands in it twice."""
    text = _json(value)
    if isinstance(value, dict) and value and draws.random() < 0.1:
        key = draws.choice(list(value))
        return f"{{{_json(key)}: {_json(plain.odd_value(draws))}, {text[1:]}"
    return text


def _json(value: Any) -> str:
    return json.dumps(value).replace(f'"{plain.DIGITS}"', "9" * 5000)


def _is_other(path: Path, draws: random.Random) -> bool:
    """In some tries the bytes are damaged, or the file is replaced."""
    chance = draws.random()
    if chance < 0.15:
        path.write_bytes(raw.damaged(path.read_bytes(), draws))
    elif chance < 0.22:
        place.replaced(path, draws)
    return chance < 0.22

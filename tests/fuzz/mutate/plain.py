"""Damage to values of JSON and YAML: a field goes, changes its type, its size, its sign, its place."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

ODD_TEXTS = (
    *(
        "",
        " ",
        "x" * 300,
        "x" * 100_000,
        "\x1b[2J\x1b]0;x\x07",
        "a\nb\r\nc",
        "\x00",
        "=1+1",
        "../../../etc/passwd",
    ),
    *(
        "/etc/passwd",
        "/dev/zero",
        "~nosuchuser/x",
        "${oc.env:HOME}",
        "${model}",
        "%s%n{0}",
        "nan",
        "1e999",
        "-1",
    ),
    *("\u202e\u2066evil", "\ufeff", "ａ", "http://127.0.0.1:9/x", "tcp://127.0.0.1:9", "sqlite:////tmp/x.db"),
    *(
        "[bold]x[/bold]",
        "<script>alert(1)</script>",
        "os.system",
        "ganvas.model.gan.GAN",
        "torch.load",
        "!!python",
    ),
)
ODD_NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 2**31, 2**31 - 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, float("nan"), float("inf"), -float("inf"), True, False, None),
)
DIGITS = "@digits"  # stands for a whole number of 5,000 digits, which Python itself does not write
Step = tuple[Any, Any]  # a container and the key or index in it


def odd_value(draws: random.Random) -> Any:
    """A value that nobody expects."""
    kind = draws.randrange(6)
    if kind == 0:
        return draws.choice(ODD_TEXTS)
    if kind in (1, 2):
        return draws.choice(ODD_NUMBERS)
    if kind == 3:
        return draws.choice(([], {}, [[]], [None], {"": None}, {"a": {"b": [1]}}, [1, "a", {}], [0] * 1000))
    if kind == 4 and draws.random() < 0.2:
        return DIGITS
    if kind == 4:
        return nested(draws.choice((5, 63, 64, 65, 500)), draws)
    return draws.choice(("\ud800", "a\udfffb", {"\ud800": 1}, ["\udc80"]))


def nested(depth: int, draws: random.Random) -> Any:
    """Lists or dicts inside of each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if draws.random() < 0.5 else {"a": value}
    return value


def places(tree: Any) -> Iterator[Step]:
    """Every (container, key) of a tree."""
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from places(value)


def _drop(at: Step, others: list[Step], draws: random.Random) -> None:
    del at[0][at[1]]


def _odd(at: Step, others: list[Step], draws: random.Random) -> None:
    at[0][at[1]] = odd_value(draws)


def _near(at: Step, others: list[Step], draws: random.Random) -> None:
    """The same type, another value."""
    value = at[0][at[1]]
    if isinstance(value, bool):
        at[0][at[1]] = not value
    elif isinstance(value, int | float):
        at[0][at[1]] = draws.choice((*ODD_NUMBERS[:-3], -value, value * 1000, value + 1, value // 3))
    elif isinstance(value, str):
        cut = draws.randrange(len(value) + 1)
        at[0][at[1]] = value[:cut] + draws.choice(ODD_TEXTS)[:400] + value[cut:]
    elif isinstance(value, list):
        at[0][at[1]] = draws.choice((value[::-1], value * 2, value[:1], [*value, odd_value(draws)]))
    else:
        at[0][at[1]] = draws.choice(([value], {"a": value}, str(value), 0))


def _other_type(at: Step, others: list[Step], draws: random.Random) -> None:
    value = at[0][at[1]]
    at[0][at[1]] = draws.choice(([value], {"a": value}, str(value), None, {str(value): 1}, [value, value]))


def _swap(at: Step, others: list[Step], draws: random.Random) -> None:
    other = draws.choice(others)
    at[0][at[1]], other[0][other[1]] = copy.deepcopy(other[0][other[1]]), copy.deepcopy(at[0][at[1]])


def _rename(at: Step, others: list[Step], draws: random.Random) -> None:
    if isinstance(at[0], dict):
        at[0][draws.choice((*ODD_TEXTS, f"{at[1]}2", str(at[1]).upper()))] = at[0].pop(at[1])


def _add(at: Step, others: list[Step], draws: random.Random) -> None:
    if isinstance(at[0], dict):
        at[0][draws.choice((*ODD_TEXTS, "_target_", "_partial_", "_args_", "seed"))] = odd_value(draws)
    else:
        at[0].insert(at[1], odd_value(draws))


_CHANGES: tuple[Callable[[Step, list[Step], random.Random], None], ...] = (
    *(_drop, _odd, _odd, _near, _near, _near, _other_type, _swap, _rename, _add),
)


def damaged(tree: Any, draws: random.Random) -> Any:
    """A copy with one to three changes."""
    try:
        tree = copy.deepcopy(tree)
    except RecursionError:  # of a change before
        return tree
    if draws.random() < 0.03:
        return odd_value(draws)
    for _ in range(draws.choice((1, 1, 1, 2, 3))):
        there = list(places(tree))
        if not there:
            break
        draws.choice(_CHANGES)(draws.choice(there), there, draws)
    return tree

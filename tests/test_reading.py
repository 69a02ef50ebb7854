"""Every file that commands read of a run or a sweep, damaged in every place: said in a line or counted as
broken, never a traceback, never a letter that moves a cursor; and no reader beside the shared ones."""

from __future__ import annotations

import copy
import json
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.main import main
from ganvas.sweep.manifest import Draft, Manifest
from forged_runs import CONFIG, forge

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"
ESCAPE = "\x1b]8;;http://x\x07\x1b[2J\u202e=1+1\n[red]"
HUGE = "HUGE"  # stands for 10**400, which json.dumps cannot be asked for everywhere
VALUES: list[Any] = [
    "text", ESCAPE, "\ud800", "", True, None, float("nan"), float("inf"), HUGE, 2**70, -1, 0.5, [], ["x"],
    [[1]], {}, {"a": {"b": 1}},
]  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a tree, itself first."""
    yield path
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    tree = copy.deepcopy(tree)
    node = tree
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return tree


def without(tree: Any, path: tuple[Any, ...]) -> Any:
    tree = copy.deepcopy(tree)
    node = tree
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    return tree


def dumped(tree: Any) -> bytes:
    return json.dumps(tree).replace(f'"{HUGE}"', "1" + "0" * 400).encode()


def damaged(text: bytes, *, lines: bool = False, most: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """A name and what stands in the file in the place of ``text``, JSON or a line of JSON."""
    yield "empty", b""
    yield "half", text[: len(text) // 2]
    yield "NUL", text.replace(b":", b"\0", 1)
    yield "BOM", b"\xef\xbb\xbf" + text
    yield "UTF-16", text.decode().encode("utf-16")
    yield "Latin-1", text.replace(b'"', b'"\xe4', 1)
    yield "deep", b'{"a":' * 3000 + b"1" + b"}" * 3000
    yield "brackets", b"[" * 100_000
    yield "one long line", b'{"x": "' + b"a" * 5_000_000 + b'"}'
    tree = json.loads(text)
    found = [(path, value) for path in places(tree) for value in VALUES]
    random.Random(seed).shuffle(found)
    for path, value in found[:most]:
        yield f"{path} = {value!r:.30}", dumped(replaced(tree, path, value)) + b"\n" * lines
    for path in [path for path in places(tree) if path][:most]:
        yield f"without {path}", dumped(without(tree, path)) + b"\n" * lines


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, and a sweep of three jobs that are done."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs" / "x" / "20260101-000000_sweep-a"
    sweep = Manifest(folder, {"sweep_overrides": ["seed=1,2,3"], "shared": [], "config_name": "train"})
    choices = {"model": "mlp_gan", "data": "digits"}
    drafts = [
        Draft(CONFIG | {"seed": seed}, choices, {"data.seed": ["seed"]}, [f"seed={seed}"], f"s-{seed}", seed)
        for seed in range(3)
    ]
    best = {"metric": "evaluation/fid", "mode": "min", "value": 1.5, "examples": 64}
    more = {"seconds": 2.0, "metrics": {"fid": 2.0}, "protocols": {"fid": "pixels"}, "optimized": best}
    more |= {"updated": "2026-11-23T12:00:00+0000", "findings": [{"says": "x", "examples": 3}]}
    more |= {"best": {"fid": {"value": 1.0, "examples": 3}}, "abilities": ["samples"], "choices": choices}
    for job in sweep.add(drafts):
        forge(
            sweep.run_dir(job), seed=job.index, status=more, curves=[{"examples": 64, "loss/generator": 1.0}]
        )
    sweep.write()
    summary = {"examples_seen": 640, **{key: more[key] for key in ("seconds", "metrics", "optimized")}}
    done = {"began": "x", "pid": 1, "host": "h", "ended": "y", "code": 0}
    for job in sweep.jobs:
        record = {"attempts": [done], "summary": summary, "error": None}
        (folder / "jobs" / f"{job.index:03d}.json").write_text(json.dumps(record))
    return folder


def hold(words: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Runs a command; nothing but words may come of it."""
    capsys.readouterr()
    try:
        code = main(words)
    except BaseException as error:
        raise AssertionError(f"{what}: {' '.join(words)}: {type(error).__name__}: {error}") from error
    said = capsys.readouterr()
    text = said.out + said.err
    moving = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs")} - {"\n"}
    assert not moving, f"{what}: {' '.join(words)}: {moving}"
    assert code in (0, 1, 2), what
    assert "Traceback" not in text, what
    return code, text


SWEEPS = [["sweep", "status"], ["sweep", "best"], ["sweep", "ls"], ["sweep", "status", "--json"]]
RUNS = [
    ["runs", "ls", "outputs/x/*"],
    ["runs", "show", "000"],
    ["runs", "diff", "000", "001"],
    ["runs", "show", "000", "--json"],
]
COMPARE = [
    ["compare", "outputs/x/*", "--csv", "t.csv", "--html", "t.html"],
    ["compare", "outputs/x/*", "--json"],
]


@pytest.mark.parametrize(
    ("name", "commands", "most", "lines"),
    [
        ("jobs/000.json", SWEEPS[:3], 150, False),
        ("sweep.json", SWEEPS, 150, False),
        ("000_s-0/status.json", [*RUNS, SWEEPS[0]], 120, False),
        ("000_s-0/.lock", RUNS[:1], 40, False),
        ("000_s-0/evaluations.jsonl", COMPARE, 80, True),
        ("000_s-0/metrics.jsonl", COMPARE[:1], 40, True),
    ],
)
def test_a_damaged_file_is_a_line_and_no_traceback(
    name: str,
    commands: list[list[str]],
    most: int,
    lines: bool,
    outputs: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = outputs / name
    if name.endswith(".lock"):
        path.write_text('{"pid": 1, "host": "elsewhere", "since": "x"}')
    sound = path.read_bytes()
    for what, content in damaged(sound.splitlines()[0] if lines else sound, lines=lines, most=most):
        path.write_bytes(content)
        for words in commands:
            hold(words, f"{name}, {what}", capsys)
            assert path.read_bytes() == content

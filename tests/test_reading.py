"""Every file that commands read of a run or a sweep, damaged in every place: said in a line or counted as
broken, never a traceback, never a letter that moves a cursor; and no reader beside the shared ones."""

from __future__ import annotations

import ast
import copy
import csv
import json
import logging
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forged_runs import CONFIG, forge

from ganvas.api.run import Run
from ganvas.callback.evaluation import best_metrics
from ganvas.cli.main import main
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.train_log import train_log
from ganvas.sweep.manifest import Draft, Manifest

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


def test_names_and_records_of_anyone_are_shown_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = ESCAPE.replace("/", "").replace("\ud800", "")
    for number in range(2):
        metrics = {f"=fid{ESCAPE}": 1.0 + number, "fid": -2.5 - number}
        forge(
            tmp_path / "outputs" / "x" / f"{number}{name}",
            seed=number,
            changes={"model.generator.hidden_dim": number},
            choices={"model": f"@{number}{ESCAPE}"},
            protocol={"split": ESCAPE, ESCAPE: "=1"},
            metrics=metrics,
            status={
                "metrics": metrics,
                "protocols": {"fid": ESCAPE},
                "error": ESCAPE,
                "write_errors": [ESCAPE],
            },
            curves=[{"examples": 64, f"loss/{ESCAPE}": 1.0}],
        )
    first, second = f"outputs/x/0{name}", f"outputs/x/1{name}"
    for words in (
        ["runs", "ls", first],
        ["runs", "show", first],
        ["runs", "show", first, "--json"],
        ["runs", "diff", first, second],
        ["compare", "outputs/x", "--csv", "t.csv", "--html", "t.html"],
        ["compare", "outputs/x", "--json"],
        ["runs", "show", f"nobody{ESCAPE}"],
        ["runs", "rm", second, "--yes"],
    ):
        hold(words, "names", capsys)
    assert not (tmp_path / second).exists()
    table = (tmp_path / "t.csv").read_text()
    with (tmp_path / "t.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "@"))] == []
    assert "-2.5" in cells  # a number stays one
    for text in (table, (tmp_path / "t.html").read_text()):
        assert {one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs")} <= {"\n", "\t"}


@pytest.mark.parametrize(
    "row", [3, {}, {"examples": "x"}, {"examples": 3, "metrics": ["fid"]}, ESCAPE], ids=range(5)
)
def test_rows_of_another_kind_are_passed_over_in_python(row: Any, tmp_path: Path) -> None:
    sound = {"source": "run", "examples": 64, "metrics": {"fid": 2.0}, "better": {"fid": "min"}}
    odd = [row, {"source": "run", "examples": 65, "metrics": {"fid": "x"}, "better": ["fid"]}]
    run = forge(
        tmp_path / "r", rows=[sound, *odd], curves=[{"examples": 64, "a": 1.5}, {"examples": 65, "a": "x"}]
    )
    found = Run(RunFolder(run))
    assert found.evaluations == [sound]
    assert found.history == {"examples": [64, 65], "a": [1.5, None]}
    assert best_metrics([sound, *odd]) == {"fid": {"value": 2.0, "examples": 64}}


def test_a_warning_on_a_terminal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with train_log(tmp_path / "train.log"):
        logging.getLogger("ganvas").warning("a file of the name %s", ESCAPE)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert {one for one in said if unicodedata.category(one) in ("Cc", "Cf", "Cs")} == {"\n"}


def called(text: str) -> Iterator[tuple[int, str]]:
    """(line, what it is) of each call that reads a file or parses what may come from one, or prints."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (
                (node.lineno, f"import {one.name}") for one in node.names if one.name in ("csv", "rich")
            )
        if isinstance(node, ast.ImportFrom):
            head = str(node.module).partition(".")[0]
            yield from [(node.lineno, f"import {node.module}")] if head in ("csv", "rich") else []
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        words = [
            one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        writes = any(word[:1] in ("w", "a", "x") and len(word) < 4 for word in words)
        parses = name in ("json.load", "json.loads", "yaml.load", "yaml.safe_load", "csv.reader")
        opens = (last in ("read_text", "read_bytes") and "." in name) or (last == "open" and not writes)
        prints = name in ("print", "sys.stdout.write", "sys.stderr.write", "sys.__stderr__.write")
        if (parses or opens or prints) and name not in ("os.open", "Image.open"):  # the latter: tests/data
            yield node.lineno, name


# Where a file is not read, JSON and YAML not parsed, and nothing printed by the doors of ganvas.files.
_OWN = "the words of our own processes, through a pipe, a store or the environment"
_PACKAGED = "files that ganvas itself brings along"
ALLOWED = {
    "files/": "the doors themselves",
    "data/": "images, shards and their caches: files of other kinds, with doors and checks of their own",
    "compare/variants.py": "a text that was made a moment ago",
    "compare/show/table.py": "a text that was made a moment ago",
    "callback/evaluation.py": "a text that was made a moment ago",
    "cli/trained/evaluate.py": "a text that was made a moment ago",
    "cli/compose/refuse_unread.py": _PACKAGED,
    "cli/compose/describe.py": "comments of a YAML that load_yaml has read before",
    "cli/compose/explain.py": "what is wrong with a YAML that Hydra could not read",
    "cli/options.py": _PACKAGED,
    "cli/before_training/init.py": _PACKAGED,
    "cli/sweep/attempt.py": _OWN,
    "sweep/engine/node.py": _OWN,
    "run/process/": _OWN,
    "logger/process/": "lines of our own processes, and a tracker's store; no room of ours is there",
    "run/distributed/": _OWN,
    "run/checkpoint/": "checkpoints, whose sha256 is known and whose archive is looked at",
    "cli/terminal.py": "rich's only door",
    "callback/progress.py": "a bar of numbers, by rich",
    "cli/sweep/show.py": "rich.live, for the tables of cli/terminal.py",
}


def test_files_are_read_and_texts_are_shown_by_the_shared_doors_alone() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith(tuple(ALLOWED)):
            found += [f"{name}:{line}: {what}" for line, what in called(path.read_text())]
    assert found == []


def test_no_text_is_printed_bare() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        bare = [line for line, what in called(path.read_text()) if what in ("print", "import csv")]
        assert path == SOURCE / "files" / "text.py" or bare == [], (path, bare)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("json.loads(x)", "json.loads"),
        ("yaml.safe_load(x)", "yaml.safe_load"),
        ("path.read_text()", "path.read_text"),
        ("open(x)", "open"),
        ("path.open('rb')", "path.open"),
        ("print(x)", "print"),
        ("import csv", "import csv"),
        ("from rich.table import Table", "import rich.table"),
    ],
)
def test_what_is_no_shared_door_is_found(text: str, what: str) -> None:
    assert [found for _, found in called(text)] == [what]
    assert not list(called("path.open('wb')\nos.open(x, 0)\nparse_json(x)\nsay(x)"))

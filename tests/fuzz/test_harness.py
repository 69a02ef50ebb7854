"""The harness can fail: what is planted to go wrong is counted as not held, each by its reason."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as for tests/fuzz/run.py

import harness
import judge
from subject import Reader, Subject, command, draws_of
from table import BEGIN, Table, put_section
from world import World

from ganvas.errors import OptionError


def _raises(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def _prints(text: str) -> Callable[[], None]:
    return lambda: print(text)


def _npz(value: float) -> Callable[[], None]:
    import numpy as np

    return lambda: np.savez("x.npz", x=np.array([value]))


def _imports() -> None:
    Path("tmp/planted.py").write_text("")
    sys.path.insert(0, "tmp")
    try:
        __import__("planted")
    finally:
        sys.path.remove("tmp")


BAD = {
    "program": (Reader(call=lambda: subprocess.run(["true"], check=False)), "subprocess.Popen"),
    "system": (Reader(call=lambda: os.system("true")), "os.system"),
    "fork": (Reader(call=os.fork), "os.fork"),
    "elsewhere": (Reader(call=lambda: Path("x").write_text("x"), writes=("y",)), "open"),
    "outside": (Reader(call=lambda: Path("../x").mkdir(), writes=("*",)), "os.mkdir"),
    "removes": (Reader(call=lambda: Path("run.yaml").unlink()), "os.remove"),
    "renames": (Reader(call=lambda: Path("run.yaml").rename("y"), writes=("run.yaml",)), "os.rename"),
    "through a link": (Reader(call=lambda: Path("link").write_text("x"), writes=("link",)), "open"),
    "library": (Reader(call=lambda: ctypes.CDLL("libm.so.6")), "ctypes.dlopen"),
    "module": (Reader(call=_imports), "planted"),
    "socket": (
        Reader(call=lambda: __import__("socket").socket().connect(("127.0.0.1", 9))),
        "socket.connect",
    ),
    "class": (
        Reader(call=lambda: __import__("pickle").loads(b"cos\nsystem\n.")),
        "pickle.find_class",
    ),
    "traceback": (Reader(call=_raises(KeyError("metric"))), "KeyError"),
    "code": (Reader(call=_raises(SystemExit(3))), "exit code 3"),
    "escapes": (Reader(call=_prints("\x1b[2J")), "prints"),
    "half a pair": (Reader(call=_prints("\ud800")), "UnicodeEncodeError"),
    "slow": (Reader(call=lambda: time.sleep(0.7)), "took"),
    "waits": (Reader(call=lambda: time.sleep(60)), "waits for ever"),
    "computes": (Reader(call=lambda: sum(iter(int, 1))), "computes for ever"),
    "crash": (Reader(call=lambda: ctypes.string_at(0)), "SIGSEGV"),
    "exit": (Reader(call=lambda: os._exit(0)), "os._exit"),
    "not finite": (Reader(call=_npz(float("nan")), writes=("x.npz",), finite="x.npz"), "not finite"),
    "believed": (Reader(call=_prints("2"), prints="1\n"), "believed"),
}
GOOD = {
    "refused": Reader(call=_raises(OptionError("x", 1, "is wrong; mend it"))),
    "writes": Reader(call=lambda: Path("x/y").write_text("x"), writes=("x/*",)),
    "finite": Reader(call=_npz(1.0), writes=("x.npz",), finite="x.npz"),
    "prints": Reader(call=_prints("1"), prints="1\n"),
    "a command": command("runs", "show", "nosuch"),
}


def _subject(name: str, reader: Reader) -> Subject:
    def lay(world: World, folder: Path, draws: random.Random) -> Reader:
        (folder / "run.yaml").touch()
        (folder / "x").mkdir() if name == "writes" else None
        (folder / "link").symlink_to(world.folder / "target")
        return reader

    return Subject(name.replace(" ", "_"), name, lay)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Reader]], dict[str, str | None]]:
    """Each reader as a class with one try; what was wrong with it."""
    monkeypatch.setattr(judge, "LONGEST", 0.5)
    monkeypatch.setattr(harness, "LONGEST", 0.5)
    monkeypatch.setattr(harness, "IDLE_POLLS", 3)

    def fuzzed(readers: dict[str, Reader]) -> dict[str, str | None]:
        subjects = {one.name: one for one in (_subject(*item) for item in readers.items())}
        place = tmp_path / "tries"
        place.mkdir()
        ended = harness.fuzz(
            subjects,
            World(tmp_path),
            seed=1,
            place=place,
            workers=1,
            goes_on=lambda begun: next((name for name, count in begun.items() if not count), None),
        )
        return {one.subject: one.verdict.wrong for one in ended}

    return fuzzed


def test_what_goes_wrong_is_counted(run: Callable) -> None:
    found = run({name: reader for name, (reader, _) in BAD.items()} | {"last": GOOD["prints"]})
    wrong = {name: found[name.replace(" ", "_")] or "held" for name in BAD}
    assert {name: said for name, said in wrong.items() if BAD[name][1] not in said} == {}
    assert found["last"] is None, "those that come after one that dies go on"


def test_what_ends_well_holds(run: Callable) -> None:
    assert set(run(GOOD).values()) == {None}


def test_a_try_is_a_function_of_class_seed_and_number() -> None:
    assert draws_of("x", 1, 2).random() == draws_of("x", 1, 2).random()
    others = {draws_of(*given).random() for given in (("x", 1, 2), ("y", 1, 2), ("x", 2, 2), ("x", 1, 3))}
    assert len(others) == 4


def test_the_page_keeps_what_others_wrote() -> None:
    page = put_section("# Faults\n\nothers\n", "## One\n")
    assert put_section(page, "## Two") == f"# Faults\n\nothers\n\n{BEGIN}\n\n## Two\n"


def test_the_table_counts() -> None:
    subject = _subject("x", GOOD["prints"])
    table = Table({"x": subject}, 7)
    assert table.add(harness.Ended("x", 0, judge.Verdict(None, 0, 0.1), 0.1)) is None
    line = table.add(harness.Ended("x", 1, judge.Verdict("broke", 1, 0.1), 0.1))
    assert line is not None
    assert "x 7 1: broke" in line
    assert (table.tried, table.held) == (2, 1)
    assert "1 of 2 tries held" in table.markdown()

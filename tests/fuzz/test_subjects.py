"""What is not damaged is read: each class's readers work, so that a refusal is the damage's."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as for tests/fuzz/run.py

import harness
from mutate import place, plain, raw, tensors
from subjects import find
from world import World, make_world

pytestmark = pytest.mark.slow
_TRIES = 6


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def harmless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No damage is done."""

    def same(value: Any, draws: random.Random) -> Any:
        return value

    for module in (plain, raw, tensors):
        monkeypatch.setattr(module, "damaged", same)
    monkeypatch.setattr(place, "replaced", lambda path, draws: "nothing")
    monkeypatch.setattr(tensors, "damaged_tensor", same)
    folder = os.getcwd()
    yield
    os.chdir(folder)


@pytest.mark.parametrize(
    "name", ["checkpoint", "sidecar", "status", "image_cache", "sound_cache", "text", "features", "idx"]
)
def test_a_sound_file_is_read(name: str, world: World, harmless: None, tmp_path: Path) -> None:
    for number in range(_TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        verdict = harness.one_try(find()[name], world, 1, number, folder)
        assert (verdict.code, verdict.wrong) == (0, None), verdict


def test_a_try_lays_out_the_same_files_again(world: World, tmp_path: Path) -> None:
    for name, subject in find().items():
        laid = []
        for repeat in ("a", "b"):
            folder = tmp_path / name / repeat
            folder.mkdir(parents=True)
            os.chdir(folder)
            reader = subject.lay(world, folder, harness.draws_of(name, 1, 3))
            files = {
                str(path.relative_to(folder)): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file() and path.stat().st_size < 10**7
            }
            laid.append((files, reader.words, reader.writes))
        os.chdir(tmp_path)
        assert laid[0][0].keys() == laid[1][0].keys(), name
        different = [file for file, content in laid[0][0].items() if content != laid[1][0][file]]
        assert different == [], name
        assert laid[0][1:] == laid[1][1:], name

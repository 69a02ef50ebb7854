"""The house's rules, read off the files: who may import whom, and one path for option, source and test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE, CONF, TESTS = ROOT / "src" / "ganvas", ROOT / "conf", ROOT / "tests"

# What each room may import of ganvas, besides itself and ganvas.errors (design: rooms import downwards only).
_RUN = ("data", "model", "callback", "logger", "metric", "functional")
ROOMS = {
    "functional": (),
    "metric": ("functional",),
    "data": ("functional",),
    "model": ("functional",),
    "callback": ("metric", "model.interface", "functional"),
    "logger": ("functional",),
    "run": (*_RUN, "compare.directions"),  # the directions that an evaluation does not say itself
    "compare": ("run.folder", "functional"),
    "sweep": ("run.folder", "run.process", "functional"),
    "cli": ("run", "sweep", "compare", *_RUN),
}
# Files that may import more than their room.
EXCEPTIONS = {
    "sweep/search/check.py": ("run.config.reported",),  # what is optimized must be what a run reports
    "sweep/search/plots.py": ("compare.show.plot",),  # whether matplotlib is there
}
# Rooms inside run/, each with those of run/ that it may import.
INSIDE_RUN = {
    "folder": (),
    "process": (),
    "config": ("folder", "trainer"),
    "checkpoint": ("folder", "distributed"),
    "distributed": ("folder", "process", "config", "checkpoint", "train_run", "outcome"),
}
OUTSIDE = {
    "hydra": {"cli"},
    "omegaconf": {"cli"},
    "pytorch_lightning": {"model", "data", "callback", "logger", "run"},
}
MOST_FILES = 12  # flat in a room of machinery


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


FILES = sorted(path for room in ROOMS for path in (SOURCE / room).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_rooms_import_downwards(path: Path) -> None:
    parts = path.relative_to(SOURCE).parts
    room, is_part = parts[0], parts[0] == "model" and len(parts) == 3
    for module in imports(path):
        for library, rooms in OUTSIDE.items():
            if within(module, library):
                assert room in rooms, f"{module} in {room}"
                assert not is_part, f"a part knows neither Hydra nor Lightning: {module}"
        if not within(module, "ganvas") or module in ("ganvas", "ganvas.errors"):
            continue
        inside = module.removeprefix("ganvas.")
        if is_part:
            own = f"model.{parts[1]}"
            assert any(within(inside, ok) for ok in (own, "model.layers", "functional")), module
        elif room == "functional":
            assert within(inside, "functional"), module
        else:
            more = EXCEPTIONS.get(path.relative_to(SOURCE).as_posix(), ())
            assert any(within(inside, ok) for ok in (room, *ROOMS[room], *more)), module


@pytest.mark.parametrize("room", INSIDE_RUN)
def test_rooms_of_a_run_import_downwards(room: str) -> None:
    for path in (SOURCE / "run" / room).rglob("*.py"):
        for module in imports(path):
            if within(module, "ganvas.run"):
                inside = module.removeprefix("ganvas.run.")
                assert any(within(inside, ok) for ok in (room, *INSIDE_RUN[room])), (path, module)


def machinery() -> list[Path]:
    """Folders of code that are not groups of options, whose names users type, nor tensor functions."""
    folders = {path.parent for path in SOURCE.rglob("*.py")} - {SOURCE, SOURCE / "functional"}
    return sorted(
        folder
        for folder in folders
        if "model" not in folder.relative_to(SOURCE).parts
        and not (CONF / folder.relative_to(SOURCE)).is_dir()
    )


@pytest.mark.parametrize("folder", machinery(), ids=lambda folder: folder.relative_to(SOURCE).as_posix())
def test_rooms_of_machinery_have_few_files(folder: Path) -> None:
    if folder.name == "cli":
        pytest.skip("its rooms come with the next change")
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, files


def test_functional_needs_torch_alone() -> None:
    import sys

    for path in (SOURCE / "functional").glob("*.py"):
        for module in imports(path):
            top = module.partition(".")[0]
            assert top in ("torch", "ganvas", "__future__") or top in sys.stdlib_module_names, (path, module)


# Groups whose options are whole settings and not parts: they have no source file of their own.
SETTINGS = ("trainer", "accelerator", "logger", "experiment", "debug", "hydra")


def options() -> list[Path]:
    found = []
    for path in sorted(CONF.rglob("*.yaml")):
        name = path.relative_to(CONF)
        whole = (
            len(name.parts) == 1
            or name.parts[0] in SETTINGS
            or (name.parts[0] == "model" and len(name.parts) == 2)
        )
        if not whole and path.stem not in ("none", "default", "minimal", "all"):
            found.append(name)
    return found


@pytest.mark.parametrize("name", options(), ids=str)
def test_option_source_and_test_share_one_path(name: Path) -> None:
    assert (SOURCE / name.with_suffix(".py")).is_file()
    assert (TESTS / name.parent / f"test_{name.stem}.py").is_file()
    assert f"_target_: ganvas.{'.'.join(name.with_suffix('').parts)}." in (CONF / name).read_text()


def test_the_walk_finds_options() -> None:
    assert Path("model/quantizer/fsq.yaml") in options()
    assert Path("data/digits.yaml") in options()


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_small_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 350
    assert not text.strip() or ast.get_docstring(ast.parse(text))

"""The house's rules, read off the files: who may import whom, and one path for option, source and test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SOURCE, CONF, TESTS = ROOT / "src" / "ganvas", ROOT / "conf", ROOT / "tests"

# What each room may import of ganvas, besides itself and ganvas.errors (design: rooms import downwards only).
_RUN = ("data", "model", "callback", "logger", "metric", "modality", "functional", "files")
ROOMS = {
    "files": (),
    "functional": ("files",),
    "metric": ("modality", "functional", "files"),
    "modality": ("functional", "files"),
    "data": ("modality", "functional", "files"),
    "model": ("functional",),
    "callback": ("metric", "modality", "model.interface", "model.training", "functional", "files"),
    "logger": ("functional", "files"),
    "codec": ("functional", "files"),
    "run": (*_RUN, "compare.directions"),  # the directions that an evaluation does not say itself
    "compare": ("run.folder", "functional", "files"),
    "sweep": ("run.folder", "run.process", "functional", "files"),
    "pipeline": ("sweep.tree", "run.folder", "run.process", "functional", "files"),
    "exporting": ("run", *_RUN),
    "cli": ("play", "exporting", "run", "sweep", "pipeline", "compare", "codec", *_RUN),
    "play": ("run", "compare", *_RUN),
    "api": ("cli", "exporting", "run", "compare", "codec", *_RUN),
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
    "nicegui": {"play"},
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


def test_rooms_import_downwards() -> None:
    wrong = [f"{path.relative_to(SOURCE)}: {text}" for path in FILES for text in forbidden(path)]
    assert not wrong, "\n".join(wrong)


def forbidden(path: Path) -> Iterator[str]:
    """What a file imports against the rules."""
    parts = path.relative_to(SOURCE).parts
    room, is_part = parts[0], parts[0] == "model" and len(parts) == 3 and parts[1] != "training"
    for module in imports(path):
        for library, rooms in OUTSIDE.items():
            if within(module, library):
                if room not in rooms:
                    yield f"{module} in {room}"
                if is_part:
                    yield f"a part knows neither Hydra nor Lightning: {module}"
        if not within(module, "ganvas") or module in ("ganvas.errors", "ganvas.version"):
            continue
        inside = module.removeprefix("ganvas.")
        if is_part:
            allowed = (f"model.{parts[1]}", "model.layers", "functional")
        else:
            more = EXCEPTIONS.get(path.relative_to(SOURCE).as_posix(), ())
            allowed = (room, *ROOMS[room], *more)
        if not any(within(inside, ok) for ok in allowed):
            yield module


def test_rooms_of_a_run_import_downwards() -> None:
    wrong = [
        (path.relative_to(SOURCE).as_posix(), module)
        for room, below in INSIDE_RUN.items()
        for path in (SOURCE / "run" / room).rglob("*.py")
        for module in imports(path)
        if within(module, "ganvas.run")
        and not any(within(module.removeprefix("ganvas.run."), ok) for ok in (room, *below))
    ]
    assert not wrong


def machinery() -> list[Path]:
    """Folders of code that are not groups of options, whose names users type, nor tensor functions."""
    folders = {path.parent for path in SOURCE.rglob("*.py")} - {SOURCE, SOURCE / "functional"}
    return sorted(
        folder
        for folder in folders
        if folder == SOURCE / "model" / "training"
        or (folder.parent == SOURCE and folder.name != "model")
        or (
            "model" not in folder.relative_to(SOURCE).parts
            and not (CONF / folder.relative_to(SOURCE)).is_dir()
        )
    )


def test_rooms_of_machinery_have_few_files() -> None:
    for folder in machinery():
        group = CONF / folder.relative_to(SOURCE)  # options are typed, and stay flat
        options = {path.with_suffix(".py").name for path in group.glob("*.yaml")} if group != CONF else set()
        files = [path.name for path in folder.glob("*.py") if path.name not in {"__init__.py", *options}]
        assert len(files) <= MOST_FILES, (folder, files)


def test_functional_needs_torch_alone() -> None:
    import sys

    for path in (SOURCE / "functional").glob("*.py"):
        for module in imports(path):
            top = module.partition(".")[0]
            # torch's builds for CUDA bring Triton; fused_search can be imported without it
            known = ("torch", "triton", "ganvas", "__future__")
            assert top in known or top in sys.stdlib_module_names, (path, module)


# Groups whose options are whole settings and not parts: they have no source file of their own.
SETTINGS = ("trainer", "accelerator", "logger", "experiment", "debug", "hydra", "pipeline")


def options() -> list[Path]:
    found = []
    for path in sorted(CONF.rglob("*.yaml")):
        name = path.relative_to(CONF)
        whole = (
            len(name.parts) == 1
            or name.parts[0] in SETTINGS
            or (name.parts[0] == "model" and len(name.parts) == 2)
            or name.parts[:2] == ("model", "schedules")  # where schedules may stand, of several models
        )
        if not whole and path.stem not in ("none", "default", "minimal", "all"):
            found.append(name)
    return found


def test_option_source_and_test_share_one_path() -> None:
    for name in options():
        assert (SOURCE / name.with_suffix(".py")).is_file(), name
        assert (TESTS / name.parent / f"test_{name.stem}.py").is_file(), name
        target = f"_target_: ganvas.{'.'.join(name.with_suffix('').parts)}."
        assert target in (CONF / name).read_text(), name


def test_the_walk_finds_options() -> None:
    assert Path("model/quantizer/fsq.yaml") in options()
    assert Path("data/digits.yaml") in options()


def test_files_are_small_and_say_what_they_are() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        assert text.count("\n") <= 350, path
        assert not text.strip() or ast.get_docstring(ast.parse(text)), path


def import_graph(source: Path) -> dict[str, set[str]]:
    """Module -> the modules of ganvas that it imports, also inside functions, not for hints alone."""
    paths = {path.relative_to(source.parent).with_suffix(""): path for path in source.rglob("*.py")}
    files = {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}
    return {name: set(_runtime_imports(path, files)) - {name} for name, path in files.items()}


def _runtime_imports(path: Path, files: dict[str, Path]) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    checked = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    for_hints = {id(node) for branch in checked for part in branch.body for node in ast.walk(part)}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [
                name for alias in node.names for name in (f"{node.module}.{alias.name}", node.module or "")
            ]
        yield from (name for name in names if name in files and id(node) not in for_hints)


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; empty where there is none."""
    left = {name: set(found) for name, found in graph.items()}
    while ends := [name for name, found in left.items() if not found & left.keys()]:
        for name in ends:
            del left[name]
    trail = [min(left)] if left else []
    while trail and (following := min(left[trail[-1]] & left.keys())) not in trail:
        trail.append(following)
    return trail[trail.index(following) :] if trail else []


def test_no_circle_between_files() -> None:
    assert find_circle(import_graph(SOURCE)) == []


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    source = tmp_path / "ganvas"
    (source / "room").mkdir(parents=True)
    (source / "room" / "__init__.py").touch()
    (source / "a.py").write_text("from ganvas.room import b\n")
    (source / "room" / "b.py").write_text("def f():\n    import ganvas.c\n")
    (source / "c.py").write_text("if TYPE_CHECKING:\n    from ganvas.a import x\n")
    (source / "d.py").write_text("from ganvas.c import y\n")
    assert find_circle(import_graph(source)) == []
    (source / "c.py").write_text("def g():\n    from ganvas.a import x\n")
    assert sorted(find_circle(import_graph(source))) == ["ganvas.a", "ganvas.c", "ganvas.room.b"]


def test_a_commit_is_checked_as_make_check_does() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    _, _, rest = (ROOT / "Makefile").read_text().partition("\ncheck: setup\n")
    commands = [line.strip() for line in rest.partition("\n\n")[0].splitlines()]
    assert commands == [hook["entry"].replace(".venv/bin", "$(BIN)") for hook in local["hooks"]]

"""The house's rules, read off the files: who may import whom, and one path for option, source and test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCE, CONF, TESTS = ROOT / "src" / "ganvas", ROOT / "conf", ROOT / "tests"

# What each room may import of ganvas, besides itself and ganvas.errors (design: rooms import downwards only).
_RUN = ("data", "model", "callback", "logger", "metric", "functional")
ROOMS = {
    "functional": (),
    "metric": ("functional",),
    "data": ("functional",),
    "model": ("functional",),
    "callback": ("metric", "model.interface", "model.training", "functional"),
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
    room, is_part = parts[0], parts[0] == "model" and len(parts) == 3 and parts[1] != "training"
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


# Rooms of machinery, with every folder below them; group folders of conf hold as many options as there are.
FLAT_ROOMS = ("cli",)
MOST_FILES = 12


def machinery(rooms: tuple[str, ...]) -> list[Path]:
    below = [path for room in rooms for path in (SOURCE / room, *(SOURCE / room).rglob("*/"))]
    groups = {path.relative_to(CONF) for path in CONF.rglob("*/")}
    return [path for path in below if path.name != "__pycache__" and path.relative_to(SOURCE) not in groups]


@pytest.mark.parametrize("room", machinery(FLAT_ROOMS), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_has_few_files(room: Path) -> None:
    files = [path.name for path in room.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, files


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


HYDRA_ADAPTER = SOURCE / "cli" / "compose" / "hydra_internals.py"


def hydra_internals_in(path: Path) -> list[str]:
    """What a file uses of Hydra's internals: private modules, and private attributes of other objects."""
    tree = ast.parse(path.read_text())
    inside = [name for name in imports(path) if within(name, "hydra._internal") or within(name, "hydra.core")]
    if not any(within(name, "hydra") or within(name, "ganvas.cli") for name in imports(path)):
        return inside
    return inside + [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (node.attr == "repository" or (node.attr.startswith("_") and not node.attr.startswith("__")))
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "os"))
    ]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_hydras_internals_lie_in_one_file(path: Path) -> None:
    if path != HYDRA_ADAPTER:
        assert hydra_internals_in(path) == []


def test_hydras_internals_are_found(tmp_path: Path) -> None:
    assert len(hydra_internals_in(HYDRA_ADAPTER)) > 5
    (tmp_path / "x.py").write_text("import hydra\nfrom hydra.core import plugins\nhydra.x._y.z()\n")
    assert hydra_internals_in(tmp_path / "x.py") == ["hydra.core", "hydra.x._y"]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_small_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 350
    assert not text.strip() or ast.get_docstring(ast.parse(text))


# The one file that uses what Lightning keeps private, and files that may as well, each with its reason.
LIGHTNING_INTERNALS = "model/training/lightning_internals.py"
MAY_OVERRIDE = {
    # Lightning has no public hook at which a strategy wraps a model.
    "run/distributed/strategy.py": {"_setup_model", "_register_ddp_hooks"},
}
# Not private by name, but nowhere documented: how Lightning's loops are built.
LOOPS = {"fit_loop", "epoch_loop", "val_loop"}
MAY_READ_LOOPS = {
    # Where a module that is no recipe of ours has no clock: how far the epoch is.
    "data/datamodule.py",
}


def lightning_private_names() -> set[str]:
    """Private attributes and methods of Lightning's trainer, loops and strategies."""
    import pytorch_lightning

    found = set()
    folder = Path(pytorch_lightning.__file__).parent
    for package in ("trainer", "loops", "strategies"):
        for path in (folder / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute):
                    found.add(node.attr)
                elif isinstance(node, ast.FunctionDef):
                    found.add(node.name)
    return {name for name in found if is_private(name)}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def own_names(tree: ast.Module) -> set[str]:
    """Methods, and attributes of ``self``, of a file's classes that are no trainer, loop or strategy."""
    found: set[str] = set()
    for one in ast.walk(tree):
        if not isinstance(one, ast.ClassDef) or _is_lightnings(one):
            continue
        for node in ast.walk(one):
            if isinstance(node, ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_of_self(node):
                found.add(node.attr)
    return found


def _is_lightnings(one: ast.ClassDef) -> bool:
    return any(word in ast.unparse(base) for base in one.bases for word in ("Strategy", "Trainer", "Loop"))


def _is_of_self(node: ast.Attribute) -> bool:
    return ast.unparse(node.value) in ("self", "cls")


def touched_internals(tree: ast.Module, private: set[str]) -> set[str]:
    """Names of Lightning's inside that a file uses, overrides or imports."""
    own, touched = own_names(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in LOOPS or (node.attr in private and not (_is_of_self(node) and node.attr in own)):
                touched.add(node.attr)
        elif isinstance(node, ast.ClassDef):
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            touched |= methods & private - own
        elif isinstance(node, ast.Import | ast.ImportFrom):
            start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for module in (f"{start}{alias.name}" for alias in node.names):
                if module.startswith(("pytorch_lightning.", "lightning_fabric.")):
                    touched |= {module for part in module.split(".") if is_private(part)}
    return touched


def test_lightnings_inside_is_used_in_one_file() -> None:
    private = lightning_private_names()
    for path in FILES:
        name = path.relative_to(SOURCE).as_posix()
        if name == LIGHTNING_INTERNALS:
            continue
        allowed = MAY_OVERRIDE.get(name, set()) | (LOOPS if name in MAY_READ_LOOPS else set())
        touched = touched_internals(ast.parse(path.read_text()), private)
        assert touched <= allowed, f"{name}: {sorted(touched - allowed)} belongs to {LIGHTNING_INTERNALS}"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("trainer._signal_connector.register_signal_handlers = None", "_signal_connector"),
        ("inner._batches_that_stepped += 1", "_batches_that_stepped"),
        ("def f(loop): return loop._should_check_val_fx(1)", "_should_check_val_fx"),
        ("trainer.fit_loop.run()", "fit_loop"),
        ("class A(DDPStrategy):\n    def _setup_model(self, model): ...", "_setup_model"),
        ("class A(DDPStrategy):\n    def x(self): return self._setup_model()", "_setup_model"),
        ("from pytorch_lightning.loops.utilities import _parse_loop_limits", "_parse_loop_limits"),
        ("import lightning_fabric._graveyard.tpu", "_graveyard"),
        ("class A(Callback):\n    def x(self): self._data_fetcher = self._data_fetcher", ""),
    ],
)
def test_the_walk_finds_uses_of_lightnings_inside(line: str, name: str) -> None:
    touched = touched_internals(ast.parse(line), lightning_private_names())
    assert any(name in one for one in touched) if name else not touched


def test_a_commit_is_checked_as_make_check_does() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    _, _, rest = (ROOT / "Makefile").read_text().partition("\ncheck: setup\n")
    commands = [line.strip() for line in rest.partition("\n\n")[0].splitlines()]
    assert commands == [hook["entry"].replace(".venv/bin", "$(BIN)") for hook in local["hooks"]]

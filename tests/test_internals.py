"""What Hydra and Lightning do not offer publicly lies in one file each, read off the syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"


def imported(path: Path) -> list[str]:
    """Every module that a file imports, also inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


HYDRA_ADAPTER = SOURCE / "cli" / "compose" / "hydra_internals.py"


def hydra_internals_in(path: Path) -> list[str]:
    """What a file uses of Hydra's internals: private modules, and private attributes of other objects."""
    tree = ast.parse(path.read_text())
    inside = [
        name for name in imported(path) if within(name, "hydra._internal") or within(name, "hydra.core")
    ]
    if not any(within(name, "hydra") or within(name, "ganvas.cli") for name in imported(path)):
        return inside
    return inside + [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (node.attr == "repository" or (node.attr.startswith("_") and not node.attr.startswith("__")))
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "os"))
    ]


def test_hydras_internals_lie_in_one_file() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        assert path == HYDRA_ADAPTER or hydra_internals_in(path) == [], path


def test_hydras_internals_are_found(tmp_path: Path) -> None:
    assert len(hydra_internals_in(HYDRA_ADAPTER)) > 5
    (tmp_path / "x.py").write_text("import hydra\nfrom hydra.core import plugins\nhydra.x._y.z()\n")
    assert hydra_internals_in(tmp_path / "x.py") == ["hydra.core", "hydra.x._y"]


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
    "data/loading/loader.py",
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
    for path in sorted(SOURCE.rglob("*.py")):
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

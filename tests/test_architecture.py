"""The house's rules, read off the files: who may import whom, and one path for option, source and test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE, CONF, TESTS = ROOT / "src" / "ganvas", ROOT / "conf", ROOT / "tests"

# What each room may import of ganvas, besides itself and ganvas.errors (design: rooms import downwards only).
ROOMS = {
    "functional": (),
    "metric": ("functional",),
    "data": ("functional",),
    "model": ("functional",),
    "callback": ("metric", "model.interface", "functional"),
    "logger": ("functional",),
    "runtime": ("data", "model", "callback", "logger", "metric", "functional"),
    "cli": ("runtime", "data", "model", "callback", "metric", "functional"),
}
OUTSIDE = {
    "hydra": {"cli"},
    "omegaconf": {"cli"},
    "pytorch_lightning": {"model", "data", "callback", "logger", "runtime"},
}


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
    room, is_part = parts[0], parts[0] == "model" and len(parts) == 3
    for module in imports(path):
        for library, rooms in OUTSIDE.items():
            if within(module, library):
                if room not in rooms:
                    yield f"{module} in {room}"
                if is_part:
                    yield f"a part knows neither Hydra nor Lightning: {module}"
        if not within(module, "ganvas") or module in ("ganvas", "ganvas.errors"):
            continue
        inside = module.removeprefix("ganvas.")
        if is_part:
            allowed = (f"model.{parts[1]}", "model.layers", "functional")
        elif room == "functional":
            allowed = ("functional",)
        else:
            allowed = (room, *ROOMS[room])
        if not any(within(inside, ok) for ok in allowed):
            yield module


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

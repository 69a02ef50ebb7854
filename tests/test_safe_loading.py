"""No line of the source reads a file in a way that can run what stands in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "src").rglob("*.py"))
# Called by these names (whatever they are imported from), they run what they are given.
_NEVER = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads",
    "cPickle.load", "dill.load", "dill.loads", "joblib.load", "marshal.load", "marshal.loads", "shelve.open",
    "torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.jit.load", "yaml.unsafe_load",
    "yaml.full_load", "yaml.load_all", "hydra.utils.instantiate", "hydra.utils.call",
    "hydra.utils.get_method", "instantiate", "pandas.read_pickle", "pd.read_pickle",
}  # fmt: skip
_LOADERS = {"SafeLoader", "_Loader"}  # of yaml.load; the second is plain_yaml's, which refuses more


def name_of(node: ast.expr) -> str:
    """``a.b.c`` as written; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = name_of(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def faults(text: str) -> Iterator[str]:
    """What a source text does that could run a file's contents, with the line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "marshal", "dill", "joblib"):
            yield f"{node.lineno}: import from {node.module}"
        if isinstance(node, ast.ImportFrom) and node.module == "torch":
            yield from (f"{node.lineno}: load, imported" for alias in node.names if alias.name == "load")
        if not isinstance(node, ast.Call):
            continue
        name, keywords = name_of(node.func), {k.arg: k.value for k in node.keywords}
        if name in _NEVER:
            yield f"{node.lineno}: {name}"
        if name == "torch.load" and not is_true(keywords.get("weights_only")):
            yield f"{node.lineno}: torch.load without weights_only=True"
        loads = name.endswith((".fit", ".validate", ".test", ".predict")) and "ckpt_path" in keywords
        if loads and not is_true(keywords.get("weights_only")):
            yield f"{node.lineno}: {name} without weights_only=True"
        if name == "yaml.load" and name_of(keywords.get("Loader", node.func)) not in _LOADERS:
            yield f"{node.lineno}: yaml.load without a safe loader"
        if name in ("np.load", "numpy.load") and "allow_pickle" in keywords:
            yield f"{node.lineno}: {name} with allow_pickle"
        if is_true(keywords.get("shell")):
            yield f"{node.lineno}: a shell"
        if name.endswith((".extractall", ".extract")):
            yield f"{node.lineno}: {name}: members are read into memory here, never extracted"


def is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def test_nothing_is_run_that_is_read() -> None:
    found = [f"{path.relative_to(ROOT)}:{fault}" for path in FILES for fault in faults(path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "from torch import load",
        "pickle.load(file)",
        "pickle.loads(data)",
        "from pickle import loads",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
        "trainer.fit(model, ckpt_path=path)",
        "archive.extractall(path)",
        "torch.hub.load(a, b)",
    ],
)
def test_the_search_finds(line: str) -> None:
    assert len(list(faults(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path, map_location='cpu', weights_only=True)",
        "yaml.load(text, Loader=_Loader)",
        "yaml.safe_load(text)",
        "model.eval()",
        "trainer.fit(model, ckpt_path=path, weights_only=True)",
        "_PlainUnpickler(file).load()",
        "re.compile(text)",
        "network.compile()",
    ],
)
def test_the_search_lets_pass(line: str) -> None:
    assert not list(faults(line))


def test_unpicklers_name_their_classes_themselves() -> None:
    """pickle.Unpickler is subclassed twice, with find_class, and used nowhere bare."""
    users = [path for path in FILES if "pickle.Unpickler" in path.read_text()]
    assert [path.name for path in users] == ["cifar10.py", "sampler.py"]
    for path in users:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        (subclass,) = [node for node in classes if "pickle.Unpickler" in map(name_of, node.bases)]
        assert "find_class" in [item.name for item in subclass.body if isinstance(item, ast.FunctionDef)]
        assert "pickle.Unpickler" not in [name_of(node.func) for node in nodes if isinstance(node, ast.Call)]

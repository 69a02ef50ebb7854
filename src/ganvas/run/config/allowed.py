"""What a config may name: an exact list of modules that hold parts, and of what each may hold.

A run.yaml is data that may come from anyone, and ``_target_`` is a name that gets called. So the names of the
whole tree are checked before anything is imported, and what a name turns out to be is checked before it is
called: a class of the kind that its module is for, defined there and not merely imported there. Constructing
one of these writes nothing and runs nothing.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from ganvas.errors import OptionError

# Prefix -> classes (module, name) of which one must be a base; none: any class or function defined there.
_KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "ganvas.model.": (),
    "ganvas.data.": (("pytorch_lightning", "LightningDataModule"),),
    # before the room that it lies in: the first prefix that fits is taken
    "ganvas.callback.detectors.": (("ganvas.callback.detectors.interface", "Detector"),),
    "ganvas.callback.": (("pytorch_lightning", "Callback"),),
    "ganvas.logger.": (("pytorch_lightning.loggers", "Logger"),),
    "ganvas.metric.": (),
    "torch.optim.": (("torch.optim", "Optimizer"), ("torch.optim.lr_scheduler", "LRScheduler")),
    "torch.nn.": (("torch.nn", "Module"),),
    "pytorch_lightning.loggers.": (("pytorch_lightning.loggers", "Logger"),),
    "pytorch_lightning.callbacks.": (("pytorch_lightning", "Callback"),),
}
ALLOWED = tuple(_KINDS)
RESERVED = {"_target_", "_partial_", "_shared_"}
# Classes on the list that cannot do here what they are for: what does it instead.
_INSTEAD = {
    "pytorch_lightning.callbacks.": {
        "EarlyStopping": "looks at values that Lightning logs and counts validations; take "
        "callback=[default,early_stopping], which looks at metrics.jsonl and counts examples",
        "LearningRateMonitor": "needs schedulers of Lightning's; every learning rate is in metrics.jsonl and "
        "the loggers as learning_rate/... already: leave it out",
    }
}
MAX_DEPTH = 64  # of nested sections; a composed experiment has 6
MAX_NODES = 100_000  # sections, lists and values; a composed experiment has some 200
_FUNCTIONS = ("ganvas.model.",)  # where a part may be a function


def check_targets(tree: Any, allow: Sequence[str] = (), path: str = "") -> None:
    """Raises OptionError where any name of code in the tree is not on the allow-list; imports nothing.

    Args:
        tree: nested dicts and lists of plain values.
        allow: the user's own packages or modules, e.g. ``["my_package"]``.
        path: where the tree stands in the config, for the error.
    """
    for node, where in _nodes(tree, path):
        _check_node(node, allow, where)


def check_kinds(tree: Any, path: str = "") -> None:
    """Raises OptionError where a name on the allow-list is not of its module's kind.

    For a tree that came with a RUN, after :func:`check_targets`: a name that imports nothing is left to the
    build, and so are the user's own.
    """
    for node, where in _nodes(tree, path):
        target = node.get("_target_")
        if isinstance(target, str) and target.startswith(ALLOWED):
            module, _, name = target.rpartition(".")
            try:
                found = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError):
                continue
            _check_kind(found, target, where)


def locate(target: str, path: str) -> Callable[..., Any]:
    """What ``_target_`` names, imported; what the allow-list admits by prefix must be of the module's kind.

    Raises:
        OptionError: it is not there, is not callable, or is of another kind.
    """
    module, _, name = target.rpartition(".")
    option = f"{path}._target_"
    try:
        if not module:
            raise ImportError("it names no module")
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise OptionError(
            option, target, f"cannot be imported ({error}); check the module's name and folder"
        ) from error
    except AttributeError as error:
        raise OptionError(option, target, f"is not in its module ({error})") from error
    if not callable(found):
        raise OptionError(option, target, "is neither a class nor a function")
    _check_kind(found, target, path)
    return cast("Callable[..., Any]", found)


def _nodes(tree: Any, path: str) -> Iterator[tuple[dict[Any, Any], str]]:
    """Every dict in the tree with its path, within the limits on depth and size."""
    left, todo = MAX_NODES, [(tree, path, 0)]
    while todo:
        value, where, depth = todo.pop()
        left -= 1
        inner: list[tuple[Any, Any, int]] = []
        if isinstance(value, dict):
            yield value, where
            inner = [(item, f"{where}.{key}".lstrip("."), depth + 1) for key, item in value.items()]
        elif isinstance(value, list | tuple):
            inner = [(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
        if inner and (depth >= MAX_DEPTH or len(inner) > left):
            limits = (
                f"more than {MAX_DEPTH} levels deep" if depth >= MAX_DEPTH else f"over {MAX_NODES} values"
            )
            raise OptionError(_start(where) or "config", "...", f"is {limits}; no experiment is")
        todo += reversed(inner)


def _start(path: str) -> str:
    """A path that fits on a line."""
    return path if len(path) < 80 else f"{path[:80]}..."


def _check_node(node: dict[Any, Any], allow: Sequence[str], path: str) -> None:
    if "_target_" not in node:
        return
    target = node["_target_"]
    if target is not None:
        _check_name(target, allow, f"{path}._target_".lstrip("."))
    partial, shared = node.get("_partial_"), node.get("_shared_")
    if partial is not None and not isinstance(partial, bool):
        raise OptionError(f"{path}._partial_".lstrip("."), partial, "must be true or false")
    if shared is not None and not (isinstance(shared, list) and all(isinstance(key, str) for key in shared)):
        raise OptionError(f"{path}._shared_".lstrip("."), shared, "must be a list of keys")
    for key, value in node.items():
        option = f"{path}.{key}".lstrip(".")
        if not isinstance(key, str):
            raise OptionError(option, value, "is no name of an option; write text")
        if key not in RESERVED and re.fullmatch(r"_\w+_", key):
            raise OptionError(option, value, "has no meaning here; there are: " + ", ".join(sorted(RESERVED)))
        # Hydra's helpers name code by `path`; no part of ours reads one, and a user's own may mean a file.
        dotted = isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", value) is not None
        if key == "path" and dotted and not _is_own(target, allow):
            _check_name(value, allow, option)


def _check_name(name: Any, allow: Sequence[str], option: str) -> None:
    if isinstance(name, str) and all(part.isidentifier() for part in name.split(".")):
        hidden = "_" if not _is_own(name, allow) else "__"
        private = any(part.startswith(hidden) for part in name.split("."))
        if not private and (_is_own(name, allow) or (name.isascii() and name.startswith(ALLOWED))):
            _check_works(name, option)
            return
    raise OptionError(
        option,
        name,
        "names code outside the allow-list (" + ", ".join(prefix.rstrip(".") for prefix in ALLOWED) + "); "
        "your own module is allowed by --config-dir FOLDER, where its YAMLs lie, or, installed, by "
        "--allow-imports its_name",
    )


def _check_works(name: str, option: str) -> None:
    for prefix, instead in _INSTEAD.items():
        reason = instead.get(name.rpartition(".")[2]) if name.startswith(prefix) else None
        if reason is not None:
            raise OptionError(option, name, reason)


def _is_own(name: Any, allow: Sequence[str]) -> bool:
    return isinstance(name, str) and any(name == own or name.startswith(f"{own}.") for own in allow)


def _check_kind(found: Any, target: str, path: str) -> None:
    prefix = next((prefix for prefix in ALLOWED if target.startswith(prefix)), None)
    if prefix is None:
        return  # the user's own, which check_targets has let pass
    module = target.rpartition(".")[0]
    bases = tuple(getattr(importlib.import_module(base), name) for base, name in _KINDS[prefix])
    # Torch and Lightning offer a class in a package above its module; ours are named where they are defined.
    at_home = str(getattr(found, "__module__", None)).startswith(prefix)
    if prefix.startswith("ganvas."):
        at_home = getattr(found, "__module__", None) == module
    if inspect.isclass(found):
        abstract = inspect.isabstract(found) or getattr(found, "_is_protocol", False)
        fits = at_home and not abstract and (not bases or issubclass(found, bases))
    else:
        fits = at_home and inspect.isfunction(found) and prefix in _FUNCTIONS
    if not fits:
        kinds = " or ".join(base.__name__ for base in bases) or "part"
        raise OptionError(
            f"{path}._target_".lstrip("."),
            target,
            f"is outside the allow-list: of {prefix.rstrip('.')} only a {kinds} defined there is made",
        )

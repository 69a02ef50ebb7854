"""Keeps scipy.signal and matplotlib out of the import of torchmetrics: a third of what a start takes.

Lightning imports torchmetrics, whose ``__init__`` imports scipy.signal for one name that old audio packages
miss (``scipy.signal.hamming``), and whose ``utilities.plot`` imports matplotlib.pyplot. No metric is computed
with either. Both stay importable: nobody else's import is touched, and a metric's ``plot()`` imports
matplotlib when it is called. CPU seconds of an import of pytorch_lightning and torchmetrics: 3.27 to 2.29.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

_SIGNAL = "scipy.signal"
_PLOT = "torchmetrics.utilities.plot"


def keep_torchmetrics_lean() -> None:
    """From now on an import of torchmetrics leaves both out; does nothing where it is imported already."""
    if "torchmetrics" not in sys.modules and not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchmetrics as it would be found anyway, and wraps its execution once."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "torchmetrics":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and isinstance(spec.loader, importlib.abc.Loader):
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _execute(execute, module)  # type: ignore[method-assign]
        return spec


def _execute(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    late = {one.__name__: one for one in (_LateSignal(_SIGNAL), _LatePlot(_PLOT))}
    for name, stand_in in late.items():
        sys.modules.setdefault(name, stand_in)
    try:
        execute(module)
    finally:
        for name, stand_in in late.items():
            if sys.modules.get(name) is stand_in:  # whoever imports it from now on gets the real one
                del sys.modules[name]


class _Late(ModuleType):
    """Stands for a module while torchmetrics is imported; what is taken from it comes from the real one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _LateSignal(_Late):
    """scipy.signal: torchmetrics looks whether the name is there and adds it where it is not."""

    hamming = None

    def __init__(self, name: str) -> None:
        super().__init__(name)
        spec = importlib.util.find_spec(name)
        self.__path__ = [] if spec is None else list(spec.submodule_search_locations or ())


class _LatePlot(_Late):
    """torchmetrics.utilities.plot: three types for annotations, and functions."""

    _AX_TYPE = _CMAP_TYPE = _PLOT_OUT_TYPE = object

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("plot_"):
            return super().__getattr__(name)
        return lambda *args, **kwargs: getattr(importlib.import_module(_PLOT), name)(*args, **kwargs)

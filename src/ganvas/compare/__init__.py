"""Metrics of several runs side by side: which may be compared, how sure they are, and how they are shown.

The package can be called: ``ganvas.compare([...])`` is :func:`ganvas.compare.side_by_side.compare_runs`, also
once the package of this name has been imported.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return importlib.import_module("ganvas.compare.side_by_side").compare_runs(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
